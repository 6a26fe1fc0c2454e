"""Data sets on the hub."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from textwrap import shorten

from skillret.errors import DatasetError

__all__ = ["fetch"]

_COMMIT = re.compile("[0-9a-f]{40}")
_FILES = {".csv", ".gz", ".jsonl", ".parquet", ".toml"}


def fetch(spec: str, split: str) -> tuple[Path, str]:
    """Folder and commit of a data set on the hub, downloaded or from the hub's cache.

    Args:
        spec: `owner/name` or `owner/name@revision`.
        split: Only its files are fetched; `*` for all.

    Raises:
        DatasetError: If it cannot be had; the message says how to go on without network.
    """
    name, _, revision = spec.partition("@")
    file = Path(name).suffix in _FILES  # mistyped, most likely
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or file:
        raise DatasetError(
            f"no such data set: {spec} is neither a folder nor a hub id like ThakiCloud/SKILLRET"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise DatasetError(
            f"loading {spec} from the hub needs huggingface_hub: pip install 'skillret[evaluate]'"
        ) from None
    wanted = "SPLIT" if split == "*" else split
    local = f"a folder with data/{{skills,queries,qrels}}/{wanted}.jsonl"

    def download(*, cached: bool) -> Path:
        return Path(
            snapshot_download(
                name,
                repo_type="dataset",
                revision=revision or None,
                allow_patterns=[f"data/*/{split}.*"],
                local_files_only=cached,
            )
        )

    if _COMMIT.fullmatch(revision):
        # A commit never changes: what is in the cache needs no network, nor its time-outs.
        with suppress(Exception):
            path = download(cached=True)
            if any(path.glob(f"data/skills/{split}.*")):
                return path, path.name
    try:
        path = download(cached=False)
    except Exception as e:  # network, permission and cache errors share no base
        lines = (line.strip() for line in str(e).splitlines())
        reason = next((line for line in lines if line), type(e).__name__)
        raise DatasetError(
            f"cannot load {spec} from the hub: {shorten(reason, 160, placeholder=' ...')};"
            f" without network give {local} instead"
        ) from None
    if not any(path.glob(f"data/skills/{split}.*")):
        raise DatasetError(
            f"{spec} at revision {path.name} has no file data/skills/{wanted}.jsonl, or it was not"
            f" downloaded while there was a network; give another --split, or {local}"
        )
    return path, path.name  # the cache names a snapshot's folder after its commit
