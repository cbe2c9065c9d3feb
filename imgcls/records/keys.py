"""What makes two trainings the same one, and what their folder is called."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

SCHEMA = 1
_SLUG_LENGTH = 80
_KEY_LENGTH = 8


def run_key(
    plan_json: Mapping[str, object],
    *,
    data_digest: str,
    split_digest: str,
    fold: int | None,
    seed: int,
    weights_sha256: str | None,
    device_type: str,
    precision: str,
    quick: bool = False,
    code_sha256: str | None = None,
    n_folds: int | None = None,
) -> str:
    """Give the key of a training: equal keys mean that the same record answers both.

    Nothing of the machine is in it: no path, host, time or number of workers.

    Args:
        plan_json: The plan as canonical JSON values.
        data_digest: Digest of samples, labels and pixels.
        split_digest: Digest of who is in train, valid and test.
        fold: The turn of train and valid, from 0; None without folds, and for the predictions of all folds together.
        seed: The integer that fixes everything random.
        weights_sha256: Of the initial weights; None without.
        device_type: Such as `cpu` or `cuda`.
        precision: Such as `float32`.
        code_sha256: Of the source of modules that the plan names, `module:function`; None where it names none.
        quick: Whether it is a trial; a full training of one epoch on few samples is another run all the same.
        n_folds: How many folds take turns; None without folds.

    Returns:
        64 hexadecimal digits.
    """
    identity = {
        "schema": SCHEMA,
        "plan": plan_json,
        "data": data_digest,
        "split": split_digest,
        "fold": fold,
        "seed": seed,
        "weights": weights_sha256,
        "device": device_type,
        "precision": precision,
        **({"quick": True} if quick else {}),
        **({"code": code_sha256} if code_sha256 else {}),
        **({"n_folds": n_folds} if n_folds is not None else {}),
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def joint_digest(parts: Sequence[str]) -> str:
    """Give the digest of several digests in order, such as the key of all folds together from those of the folds.

    Args:
        parts: Hexadecimal digests.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256("\n".join(parts).encode("ascii")).hexdigest()


def short_key(key: str) -> str:
    """Give the first eight digits of a key, as they appear in names of folders."""
    return key[:_KEY_LENGTH]


def run_folder_name(stack_label: str, *, seed: int, fold: int | None, key: str, n_folds: int | None = None) -> str:
    """Name the folder of a run so that people know it and every file system takes it.

    Args:
        stack_label: The printed label of the stack; any text.
        seed: The seed of the run.
        fold: The fold of the run, or None.
        key: The key of the run.
        n_folds: How many folds there are; without a fold it is the record of all of them.

    Returns:
        `<stack slug>-s<seed>[-f<fold> or -oof<n_folds>]-<key8>`, in lower-case ASCII; the slug has at most 80
        characters.
    """
    slug = re.sub(r"[^a-z0-9+=.,_]+", "-", stack_label.lower())[:_SLUG_LENGTH].strip("-.,+=_") or "run"
    whole = "" if n_folds is None else f"-oof{n_folds}"
    turn = whole if fold is None else f"-f{fold}"
    return f"{slug}-s{seed}{turn}-{short_key(key)}"
