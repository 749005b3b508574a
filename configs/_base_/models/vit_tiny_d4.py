# ViT-Ti with four blocks, for configs/*_quickstart.py and their downstream configs. Use it as
# arch=dict(_delete_=True, **_base_._arch).
_arch = dict(embed_dims=192, num_layers=4, num_heads=3, feedforward_channels=768)
