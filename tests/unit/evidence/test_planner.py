"""Tests of what a comparison can see, and what would settle it."""

from __future__ import annotations

import numpy as np
import pytest


from imgcls.evidence.gains import Components, Gain, measure
from imgcls.evidence.planner import detectable, minimal_detectable_gain, what_settles
