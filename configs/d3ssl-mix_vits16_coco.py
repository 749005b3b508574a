# D3SSL on a ViT with de-coupling by mixed patches on top (docs/d3ssl.md, De-coupling for ViTs).
_base_ = 'd3ssl_vits16_coco.py'
model = dict(mixing=dict(type='mmssl_geo.PatchMixing'))
