# GTSA with de-coupling by mixed patches (docs/d3ssl.md, De-coupling for ViTs).
_base_ = 'gtsa_vits16_coco.py'
model = dict(mixing=dict(type='mmssl_geo.PatchMixing'))
