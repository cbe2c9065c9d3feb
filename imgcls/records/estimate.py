"""A number with its 95 % interval, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from imgcls.errors import UsageError
from imgcls.records.reading import Fields


@dataclass(frozen=True)
class Estimate:
    """What was measured, and how sure that is."""

    value: float | None
    """The metric; None when it cannot be computed."""
    low: float | None
    """The lower end of the 95 % interval; None when there is no interval."""
    high: float | None
    """The upper end of the 95 % interval; None when there is no interval."""
    n: int
    """The number of samples behind it."""
    reason: str | None = None
    """Why the value or the interval is missing, or what was left out of it."""

    def __post_init__(self) -> None:
        """Refuse NaN and infinity, which would hide what happened: the reason belongs in `reason`."""
        if any(number is not None and not math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise UsageError(
                f"An estimate must be finite, not value={self.value}, low={self.low}, high={self.high}. "
                "Use None and give the reason."
            )

    @classmethod
    def missing(cls, reason: str, *, n: int) -> Estimate:
        """Make the estimate of something that cannot be computed.

        Args:
            reason: Why, as a sentence without the full stop.
            n: The number of samples that were looked at.
        """
        return cls(None, None, None, n, reason)

    @classmethod
    def from_fields(cls, fields: Fields) -> Estimate:
        """Read an estimate from a JSON object; problems are collected in `fields`."""
        value, low, high = (fields.number_or_none(name) for name in ("value", "low", "high"))
        return cls(value, low, high, fields.integer("n"), fields.text_or_none("reason"))

    def to_json(self) -> dict[str, float | int | str | None]:
        """Give the estimate as a JSON object."""
        return asdict(self)

    def __str__(self) -> str:
        """Write the estimate as people read it: `0.912 [0.884, 0.934] n=512`."""
        if self.value is None:
            return self.reason or "not computed"
        if self.low is None or self.high is None:
            return f"{self.value:.3f} n={self.n}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.n}"
