# GTSA with de-coupling by mixed patches, for two CPU cores.
_base_ = 'gtsa_quickstart.py'
model = dict(mixing=dict(type='mmssl_geo.PatchMixing'))
