"""What the name of a network says, for recipes, which load no library to ask: its normalisation, rate and size.

These are rules by names. `tests/engine/test_networks.py` holds them against the networks and the pretrained
configurations of timm and torchvision, so that a new family that breaks one is seen there.
"""

from __future__ import annotations

import functools
import re
from fnmatch import fnmatchcase

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


# Sides of pretraining that no number in the name tells, by patterns of names; those with a dot are of single weights.
_SIZES_PX = {
    106: "tinynet_e",
    152: "tinynet_d",
    160: "resnetrs50 test_* *.a3_in1k",
    176: "resnet10t resnet14t resnet*.tv2_in1k resnet50.a1h_in1k resnext*.tv2_in1k wide_resnet*.tv2_in1k",
    184: "tinynet_c",
    188: "tinynet_b",
    192: "dm_nfnet_f0 nf_regnet_b0 nfnet_f0 resnetrs101 tf_efficientnetv2_b[01] tinynet_a",
    208: "tf_efficientnetv2_b2",
    224: "*.seer convnextv2_huge.fcmae convnextv2_huge.fcmae_ft_in1k ecaresnet50t.a[12]_in1k efficientnet_b1.ft_in1k "
    "regnety_1280.swag_lc_in1k resnet*d.gluon_in1k resnetv2_*_bit.goog_in21k seresnextaa101d_32x8d.*in12k* "
    "seresnextaa101d_32x8d.ah_in1k",
    240: "efficientnet_b1* efficientnet_cc_b1_8e efficientnet_em efficientnet_lite1 fbnetv3_g flexivit_* nf_regnet_b2 "
    "tf_efficientnet_b1 tf_efficientnet_cc_b1_8e tf_efficientnet_em tf_efficientnet_lite1 tf_efficientnetv2_b3 "
    "torchvision:efficientnet_b1",
    256: "*_resnet33ts *_resnext26ts convnext_xxlarge cpubone_b*_dwnorm cs3* cspdarknet* cspres* darknet* dm_nfnet_f2 "
    "eca_halonext26ts eca_nfnet_l1 ecaresnet200d ecaresnet26t ecaresnet50t edgenext_* efficientnet_b2 "
    "efficientvim_m4* ese_vovnet57b fastvit_* gcres* gernet_l halonet* hieradet_small lambda_* mobilenetv3_large_150d "
    "mobilenetv4_conv_aa_medium mobilenetv4_conv_medium mobilenetv4_hybrid_large_075 mobilenetv4_hybrid_medium "
    "mobilenetv5_base mobilevit* nf_regnet_b1 nf_resnet50 nfnet_f2 regnetz_040* regnetz_[cde]* resnest101e resnet1??d "
    "resnet200d resnet26t resnet3[23]ts resnet50_mlp resnet[56]1q resnetrs152 resnetrs2* resnext26ts sedarknet* "
    "sehalonet33ts seresne?t26ts seresnet152d seresnet2??d seresnet33ts shvit_s4 swinv2_*to16_192to256 vit_*_dinov3* "
    "convnext_*.eupe_lvd1689m convnext_base.clip_* convnext_large_mlp.clip_laion2b_augreg* torchvision:swin_v2_*",
    260: "efficientnet_b2_pruned efficientnet_lite2 tf_efficientnet_b2 tf_efficientnet_lite2",
    288: "efficientnet_b3 efficientnet_b3_g* efficientnet_x_b3 efficientnetv2_rw_s efficientnetv2_s nf_regnet_b3 "
    "resnet50x4_* resnetrs350 seresnextaa101d_32x8d torchvision:efficientnet_b2",
    299: "inception_resnet_v2 inception_v[34] legacy_xception xception* torchvision:inception_v3",
    300: "efficientnet_b3_pruned efficientnet_el* efficientnet_lite3 tf_efficientnet_b3 tf_efficientnet_el "
    "tf_efficientnet_lite3 tf_efficientnetv2_s torchvision:efficientnet_b3",
    320: "convnext_large_mlp dm_nfnet_f3 eca_nfnet_l2 ecaresnet269d efficientnet_b4 efficientnetv2_m "
    "efficientnetv2_rw_m nf_regnet_b4 nfnet_f3 repvgg_d2se resnest200e resnetrs420 seresnextaa201d_32x8d.sw_in12k",
    331: "nasnetalarge pnasnet5large",
    352: "eca_nfnet_l3",
    380: "efficientnet_lite4 tf_efficientnet_b4 tf_efficientnet_lite4 torchvision:efficientnet_b4",
    384: "convnextv2_huge dm_nfnet_f4 efficientnetv2_l efficientnetv2_xl focalnet_*large_fl? mobilenetv4_*_large "
    "naflexvit_* nf_regnet_b5 nfnet_f4 regnety_1280 regnety_2560 regnety_640 resnet50x16_* seresnextaa201d_32x8d "
    "swinv2_*_192to384 tf_efficientnetv2_[lm] tf_efficientnetv2_xl regnety_*.swag_ft_in1k regnety_320.seer_ft_in1k "
    "torchvision:efficientnet_v2_s torchvision:regnet_y_128gf",
    392: "deepseek_vit_*.deepseek_v4_flash_vision_exp",
    416: "dm_nfnet_f5 nfnet_f5 resnest269e efficientnet_b5.sw_in12k",
    448: "dm_nfnet_f6 efficientnet_[hx]_b5 efficientnet_b5 mobilenetv4_conv_aa_large nfnet_f6 resnet50x64_* "
    "resnetv2_101x[13]_bit resnetv2_50x3_bit vit_*_tipsv2 resnetv2_*_bit.goog_in21k_ft_in1k",
    456: "tf_efficientnet_b5 torchvision:efficientnet_b5",
    475: "tf_efficientnet_l2",
    480: "nfnet_f7 resnetv2_152x4_bit resnetv2_152x4_bit.goog_in21k_ft_in1k torchvision:efficientnet_v2_[lm]",
    512: "csatv2 naflexvit_*_radio_* vit_*_lingbot vit_*_radio_*",
    518: "vit_*_dinov2 torchvision:vit_h_14",
    528: "efficientnet_b6 tf_efficientnet_b6 torchvision:efficientnet_b6",
    546: "deepseek_vit_*",
    600: "efficientnet_b7 tf_efficientnet_b7 torchvision:efficientnet_b7",
    640: "csatv2_21m",
    672: "efficientnet_b8 tf_efficientnet_b8",
    768: "davit_*_fl gemma4_vit_* mobilenetv5_300m* qwen3_vit_*",
    800: "efficientnet_l2 tf_efficientnet_l2.ns_jft_in1k",
    896: "sam2_hiera_*",
    1024: "sam2_hiera_large samvit_*patch16 vit_*_sapiens2",
}
# Families whose names end in a width, or in millions of operations, where others have a side.
_WIDTHS = re.compile(
    r"convmixer|fbnet|ghostnet|hardcore|lcnet|levit|mnasnet|mobile|regnet|repghost|resnetv2|rexnet|semnasnet|spnasnet"
    r"|tf_mobile|tinynet"
)
_OTHERWISE_PX = 224


@functools.cache
def pretrained_size_px(name: str) -> int | None:
    """Return the side of the images that a network's weights were pretrained on, pixels; None where nothing says it.

    Args:
        name: As in `model.name`; a timm name may name single weights, as `resnet50.tv2_in1k` does.
    """
    if name == "simple_cnn" or (":" in name and not name.startswith("torchvision:")):
        return None
    bare, _, tag = name.partition(".")
    if said := re.search(r"(?:^|_)r?(\d{3})(?=_|$)", tag):
        return int(said[1])
    patterns = [(pattern, size) for size, several in _SIZES_PX.items() for pattern in several.split()]
    found = [
        # that of single weights says more than that of a network, and of two the longer one
        (":" in pattern or "." in pattern, len(pattern), size)
        for pattern, size in patterns
        if fnmatchcase(name if ":" in pattern or "." in pattern else bare, pattern)
    ]
    if found:
        return max(found)[-1]
    numbers = re.findall(r"_(\d{3,4})(?=_|$)", bare)
    return int(numbers[-1]) if numbers and not _WIDTHS.match(bare) else _OTHERWISE_PX
