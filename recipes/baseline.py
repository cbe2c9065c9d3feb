"""A simple, complete pipeline, made to be compared with."""

from dataclasses import replace

from imgcls.catalog import Card
from imgcls.networks import usual_rate
from imgcls.plan import Plan, PlanError, Within

CARD = Card(
    base=True,
    items=("base.train", "base.model"),
    summary="A small pretrained network, trained whole for a few epochs with Adam at a constant rate; nothing else.",
    changes=("model.name", "model.weights", "optimizer.learning_rate", "fit.epochs"),
    reads=("optimizer.learning_rate",),
    helps="Always first: every later number needs something to stand against.",
    hurts=(
        "Stopped at, it is rarely the best that the data allow; at this rate very small sets may want freeze_backbone."
    ),
    cost="About 70 seconds for 1,560 photographs at 128 px on two CPU cores.",
    source=(
        "Tan and Le 2019, arXiv:1905.11946 (the family); TensorFlow's EfficientNet-Lite (the network); Kingma "
        "and Ba 2015, arXiv:1412.6980, section 2 (Adam); Liu et al. 2022, arXiv:2201.03545, appendix A (rates of "
        "networks normalised by layers)."
    ),
)


def baseline(plan: Plan, *, model: str = "tf_efficientnet_lite0", epochs: int = 3) -> Plan:
    """Begin with a pretrained network, Adam at the rate of its family, cross entropy and no augmentation.

    The rate is 1e-3 for networks with batch normalisation, and 1e-4 for transformers, ConvNeXt and others without,
    which may collapse at more (`imgcls.networks`).

    Args:
        plan: The plan to begin from.
        model: A timm name, `torchvision:NAME`, `simple_cnn` or `module:function`.
        epochs: Passes over the training samples, at least 1.

    Raises:
        PlanError: There is no epoch.
    """
    if epochs not in (allowed := Within(1, 100_000)):
        raise PlanError(f"epochs has to be {allowed}, not {epochs!r}; linear_probe sets 0 by itself.")
    return replace(
        plan,
        model=replace(plan.model, name=model, weights="auto"),
        optimizer=replace(plan.optimizer, learning_rate=usual_rate(model)),
        fit=replace(plan.fit, epochs=epochs),
    )
