"""Constants that several packages share."""

IMAGENET_MEAN = (123.675, 116.28, 103.53)
"""Mean of ImageNet's pixels per RGB channel, in grey levels (0 to 255)."""

IMAGENET_STD = (58.395, 57.12, 57.375)
"""Standard deviation of ImageNet's pixels per RGB channel, in grey levels (0 to 255)."""
