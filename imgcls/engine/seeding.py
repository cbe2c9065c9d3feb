"""Seeds: everything random is a pure function of a seed and of names, so that no generator has to be saved."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# The epoch of everything that is predicted: views must not depend on how long training lasted.
PREDICTION_EPOCH = -1


def keyed_seed(*parts: int | str) -> int:
    """Return a 64-bit seed for a name: blake2b of the parts, each marked with its length.

    Args:
        *parts: Whole numbers and texts; `(1, "23")` and `(12, "3")` give different seeds.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        text = str(part).encode("utf-8", "surrogateescape")
        digest.update(len(text).to_bytes(8, "big") + text)
    return int.from_bytes(digest.digest(), "big")


def generator(*parts: int | str) -> np.random.Generator:
    """Return a NumPy generator for a name; Philox by key, since seeding it is cheap."""
    return np.random.Generator(np.random.Philox(key=keyed_seed(*parts)))


def seed_torch(*parts: int | str) -> None:
    """Seed torch's global generators, on all devices, and Python's own, by name."""
    seed = keyed_seed(*parts)
    torch.manual_seed(seed % 2**63)
    random.seed(seed)


def order(n: int, *parts: int | str) -> np.ndarray:
    """Return a permutation of `range(n)`, int64 [n], by name."""
    return generator(*parts).permutation(n)


def drawn(shares: np.ndarray, *parts: int | str) -> np.ndarray:
    """Draw as many rows as there are shares, with replacement, int64 [n], by name.

    Args:
        shares: The probability of each row, float64 [n], summing to 1.
        *parts: As for `keyed_seed`.
    """
    return generator(*parts).choice(len(shares), size=len(shares), p=shares)


@contextmanager
def borrowed_torch(seed: int) -> Iterator[None]:
    """Let torch's global generator of the CPU draw by a seed for a while, and give it back as it was.

    Other devices' generators are not touched, which `torch.manual_seed` would seed too.

    Args:
        seed: From 0 to 2**63 − 1.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
