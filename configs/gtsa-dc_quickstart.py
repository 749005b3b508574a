# De-coupling by mixed patches, small enough for two CPU cores.
_base_ = 'gtsa_quickstart.py'
model = dict(mixing=dict(type='mmssl_geo.PatchMixing'))
