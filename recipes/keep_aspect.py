"""Keep the proportions of photographs: crop or pad them to a square instead of squashing them."""

from imgcls.catalog import Card
from imgcls.plan import Plan, PlanError

CARD = Card(
    items=("train.model",),
    summary="Makes photographs square without changing their proportions: the centre is cut out, or sides are padded.",
    changes=("images.resize",),
    suits=("uneven_shapes",),
    helps="Photographs of many shapes, above all long ones, whose classes differ in shape or proportion.",
    hurts=(
        "Cropped, objects near the long ends are lost; padded, objects become smaller and the borders are made up. "
        "Photographs that are square already change nothing."
    ),
    cost="Photographs are read and decoded once more; training takes as long.",
    measured=(
        "1,790 garments, most of them long, accuracy, up to three seeds: on linear_probe +2.3 points [-1.5, +6.2], on "
        "augmentation with adamw_cosine and label_smoothing +1.3 [-1.1, +3.7], with fine_tune and freeze_stages likely "
        "better, +4.9 [-1.5, +11.2]. Leaves, ROC AUC: on linear_probe likely better, +3.0 [-0.2, +6.2]. "
        "docs/guide/study.md."
    ),
    source="He et al. 2015, arXiv:1406.4729, section 1 (what cropping and warping lose); torchvision's CenterCrop.",
)


def keep_aspect(plan: Plan, *, mode: str = "crop") -> Plan:
    """Set how a photograph becomes square.

    Args:
        plan: The plan below.
        mode: `crop` keeps the square at the centre, `pad` all of the photograph, with what images.pad_mode says around.

    Raises:
        PlanError: It is neither.
    """
    if mode not in ("crop", "pad"):
        raise PlanError(f"mode has to be crop or pad, not {mode!r}.")
    return plan.with_values({"images.resize": mode})
