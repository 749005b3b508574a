# D3SSL on ViT-S/16 with de-coupling by mixed patches (docs/d3ssl.md, De-coupling for ViTs).
_base_ = 'd3ssl_vits16_coco.py'
model = dict(mixing=dict(type='mmssl_geo.PatchMixing'))
