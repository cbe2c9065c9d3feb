"""What is known of networks and their weights before they are built: normalisation, rate, size, licence.

Normalisation and rate are rules by names, which `tests/engine/test_networks.py` holds against timm's networks, so that
a new family that breaks one is seen there. The size is asked of the libraries.
"""

from __future__ import annotations

import functools
import importlib
import re
from contextlib import suppress

BATCHNORM_RATE, OTHER_RATE = 1e-3, 1e-4
"""Adam's peak rates of fine-tuning. Networks with batch normalisation bear the higher one; transformers, ConvNeXt and
others that are normalised by layers, or not at all, may collapse at it."""

# Families without batch normalisation, by what their names begin with.
_WITHOUT_BATCHNORM = re.compile(
    r"""
      aimv2|beit|cait|coat_|coatnext|convit|crossvit|davit|deepseek_vit|deit|eva|flexivit|gcvit|gemma|hiera|maxxvit
    | mvit|naflexvit|nest_|pit_|pvt_|qwen|sam2_|samvit|swin|test_vit|tnt_|twins|vit_|vitamin  # transformers
    | caformer|convformer|gmixer|gmlp|mixer|poolformer|resmlp|sequencer  # perceptrons, and other mixers of tokens
    | convnext|csatv2|edgenext|focalnet|mambaout|mobilenetv5|rdnet|test_convnext|test_mambaout  # convolutions like them
    | dm_nfnet|eca_nfnet|nf_|nfnet|test_nfnet|alexnet|squeezenet|vgg  # free of normalisation, or older than it
    """,
    re.VERBOSE,
)
# Variants of a family that are normalised in another way than the family is, by a part of their names.
_WITHOUT = re.compile(r"_(gn|ln|evos|frn|bit)(_|$)")
_WITH = re.compile(r"^vgg.*_bn$|^vit_.*(_resnet\d+d?|_mci)_|^efficientnet_b0_g16_evos$")


def has_batchnorm(name: str) -> bool:
    """Return whether a network of that name is normalised by batches; so are taken those that nothing is known of.

    Args:
        name: A name as in `model.name`: of timm, `torchvision:NAME`, `simple_cnn` or `module:function`.
    """
    bare = name.removeprefix("torchvision:").partition(".")[0]
    return bool(_WITH.search(bare)) or not (_WITHOUT_BATCHNORM.match(bare) or _WITHOUT.search(bare))


def usual_rate(name: str) -> float:
    """Return the learning rate at which fine-tuning a network of that name begins, unless a person says another.

    Args:
        name: As in `model.name`.
    """
    return BATCHNORM_RATE if has_batchnorm(name) else OTHER_RATE


def lowered_rate(name: str, rate: float, *, factor: float) -> float:
    """Return a share of the usual rate, or the rate itself where it is another one: then a person chose it.

    Args:
        name: As in `model.name`.
        rate: The rate so far.
        factor: The share.
    """
    return factor * usual_rate(name) if rate == usual_rate(name) else rate


@functools.cache
def pretrained_size_px(name: str) -> int | None:
    """Return the side of the images that a network's weights were pretrained on, pixels; None where nothing says it.

    The libraries are asked, which loads torch: only a stack that names a network pays for that.

    Args:
        name: As in `model.name`; a timm name may name single weights, as `resnet50.tv2_in1k` does.
    """
    with suppress(ValueError, RuntimeError, KeyError):  # an unknown name, of which the check of the plan tells more
        if name.startswith("torchvision:"):
            found = importlib.import_module("torchvision.models").get_model_weights(name.partition(":")[2]).DEFAULT
            return int(found.transforms().crop_size[0])
        if name != "simple_cnn" and ":" not in name:
            settings = importlib.import_module("timm").get_pretrained_cfg(name)
            return int(settings.input_size[-1]) if settings is not None else None
    return None


_PERMISSIVE = ("apache-2.0", "mit", "bsd", "cc0-1.0", "cc-by-4.0", "unlicense")


def is_permissive(licence: str) -> bool:
    """Return whether weights may be used for anything, commerce included, by a licence that is widely known."""
    return licence.lower().startswith(_PERMISSIVE)


def licence_text(licence: str) -> str:
    """Return a licence as people read it; an unknown one is called so."""
    return licence or "licence unknown"


def licence_caution(source: str, licence: str) -> str:
    """Return what a person has to know before training on weights; "" where that is nothing.

    Args:
        source: Where the weights are from.
        licence: Their licence, "" where it is not known.
    """
    if is_permissive(licence):
        return ""
    if not licence:
        return f"The licence of the weights from {source} is not known; look it up before the result is passed on."
    if "nc" in licence.lower().split("-"):
        return f"The weights from {source} are for non-commercial use only ({licence})."
    return f"The weights from {source} have a licence of their own ({licence}); read it before the result is passed on."
