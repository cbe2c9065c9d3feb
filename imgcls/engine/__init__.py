"""The engine: the only part of imgcls that turns a plan into a fastai `Learner`, and a Learner into a record.

torch, torchvision, fastai, timm and albumentations are imported here and nowhere else.
"""

import os
import warnings

# albumentations asks the registry for its newest version at import unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

# fastai compiles a function at import in a way that torch discourages; whoever uses imgcls cannot help it.
warnings.filterwarnings("ignore", message=r"`torch\.jit\.script`", category=FutureWarning)
