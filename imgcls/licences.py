"""Licences of pretrained weights: which ones ask nothing of a user, and what to say of the others."""

from __future__ import annotations

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
