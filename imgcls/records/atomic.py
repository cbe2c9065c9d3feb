"""The durable writes of `imgcls.durable` under the name that records know them by."""

from __future__ import annotations

from imgcls.durable import (
    append_line,
    clear_leftovers,
    create_file,
    explained,
    json_bytes,
    make_folder,
    publish_folder,
    remove_tree,
    sha256_file,
    write_bytes,
    write_json,
)

__all__ = [
    "append_line",
    "clear_leftovers",
    "create_file",
    "explained",
    "json_bytes",
    "make_folder",
    "publish_folder",
    "remove_tree",
    "sha256_file",
    "write_bytes",
    "write_json",
]
