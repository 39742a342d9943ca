"""Names of the networks of the spatial stream, and of their weights.

Free of TensorFlow, so that a configuration can be checked without it; what the names stand for is
in :mod:`spaces.backbones.small_networks` and :mod:`spaces.backbones.pretrained`.
"""

from __future__ import annotations

SMALL_NETWORKS = ("small_cnn", "small_resnet", "meso", "small_xception")

PRETRAINED = (
    "efficientnet_lite0",
    "resnet50",
    "resnet50_v2",
    "resnet101",
    "resnet101_v2",
    "resnet152",
    "resnet152_v2",
    "vgg16",
    "vgg19",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_b0",
    "efficientnet_v2_b1",
    "efficientnet_v2_b2",
    "efficientnet_v2_b3",
    "efficientnet_v2_s",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "densenet121",
    "densenet169",
    "densenet201",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
    "convnext_xlarge",
    "xception",
    "inception_v3",
    "inception_resnet_v2",
    "nasnet_mobile",
    "nasnet_large",
)

BACKBONES = (*SMALL_NETWORKS, *PRETRAINED)

IMAGENET, HED, NO_WEIGHTS = "imagenet", "hed", "none"

TEMPORAL_EXTENT = 3
"""Frames that an inflated kernel looks at."""
