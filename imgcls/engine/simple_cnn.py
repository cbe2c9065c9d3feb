"""A small network of our own, for very small images and for tests."""

from __future__ import annotations

from torch import nn


def simple_cnn(n_classes: int, *, width: int = 16) -> nn.Sequential:
    """Build four stages of convolution, batch normalisation and ReLU, each halving the image, and a classifier.

    Args:
        n_classes: Outputs, at least 1.
        width: Channels of the first stage; each further stage doubles them.
    """
    stages, channels = [], 3
    for stage in range(4):
        wider = width * 2**stage
        stages.append(
            nn.Sequential(
                nn.Conv2d(channels, wider, kernel_size=3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(inplace=True),
            )
        )
        channels = wider
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, n_classes))
