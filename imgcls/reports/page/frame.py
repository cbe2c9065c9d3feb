"""What pages have in common: templates that escape all text, and a policy that allows what the page itself holds."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from imgcls.reports.text import clean

_PACKAGE = "imgcls.reports.page"


def environment() -> Environment:
    """Give the templates; text that comes from data is made harmless and escaped wherever it stands."""
    return Environment(
        loader=PackageLoader(_PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def resource(name: str) -> str:
    """Read a file that lies beside the templates."""
    return (files(_PACKAGE) / "templates" / name).read_text(encoding="utf-8")


def policy_of(style: str, script: str) -> str:
    """Allow the page's own style and script by their digests, pictures that it holds, and nothing else."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    allowed = "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'".format(*digests)
    return f"{allowed}; base-uri 'none'; form-action 'none'"


def _harmless(value: Any) -> Any:
    """Write out the control characters of every text that comes from data; escaping is jinja's part."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
