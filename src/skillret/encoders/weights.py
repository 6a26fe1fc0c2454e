"""Whether the weights in a model folder are those that its profile was written for.

The vectors of an index belong to weights, and a profile names them by their hash. Hashing 23 MB
takes a tenth of the time of a search, so it is noted in the user's cache which files were found to
be right. A note counts only for files that are in every respect as they were.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from skillret.errors import EncoderError, SkillretError
from skillret.files import parse_json, stored_bytes, write_text

__all__ = ["MODEL", "check_weights", "hash_weights"]

MODEL = "model.onnx"

_VERSION = 1
_MOST_NOTES = 100
_MOST_BYTES = 1 << 18
# A file that was written this recently may be written once more within one tick of its clock.
_SETTLED_S = 2.0

_Identity = list[list[int]]  # of each file; see `_identity`


def hash_weights(folder: Path, graph: str = MODEL) -> str:
    """SHA-256 of a graph followed by its `.data`, which a graph that holds its weights lacks.

    Args:
        folder: Holds them.
        graph: Name of its file.

    Raises:
        EncoderError: If a file cannot be read.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    for file in _files(folder / graph):
        try:
            with file.open("rb", buffering=0) as opened:
                while n := opened.readinto(buffer):
                    digest.update(buffer[:n])
        except OSError as e:
            raise EncoderError(f"cannot read the weights {file}: {e.strerror or e}") from None
    return digest.hexdigest()


def check_weights(folder: Path, weights: str, graph: str = MODEL) -> str:
    """Make sure that the weights in a folder are the expected ones.

    Args:
        folder: Holds the graph.
        weights: What `hash_weights` must give.
        graph: Name of its file.

    Returns:
        `weights`.

    Raises:
        EncoderError: If they are others, or cannot be read.
    """
    file = folder / graph
    place = os.path.realpath(folder) if graph == MODEL else os.path.realpath(file)
    before = _identity(file)
    record = _record()
    notes = _read(record)
    if notes.get(place) == (weights, before):
        return weights
    actual = hash_weights(folder, graph)
    if actual != weights:
        raise EncoderError(
            f"the weights in {folder} are not those of its profile.json: {graph} + {graph}.data"
            f" have the SHA-256 {actual[:12]}..., the profile names {weights[:12] or 'none'}...;"
            " bring back the files as they were, or make the folder anew with skillret export"
        )
    changed = max((max(of_file[1:3]) for of_file in before), default=0)
    if before == _identity(file) and time.time() - changed / 1e9 > _SETTLED_S:
        notes.pop(place, None)
        notes[place] = (weights, before)
        _write(record, notes)
    return weights


def _files(graph: Path) -> list[Path]:
    data = graph.with_name(graph.name + ".data")
    return [graph, data] if data.exists() else [graph]


def _identity(graph: Path) -> _Identity:
    """Size, times of change, device and inode of each file: other contents change one of them."""
    found = []
    for file in _files(graph):
        try:
            stored_bytes(file, "model")
            s = file.stat()
        except OSError as e:
            raise EncoderError(f"cannot read the weights {file}: {e.strerror or e}") from None
        except ValueError as e:
            raise EncoderError(str(e)) from None
        # The second time cannot be set back, unlike the first.
        found.append([s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_dev, s.st_ino])
    return found


def _record() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("skillret", appauthor=False) / "weights.json"


def _read(record: Path) -> dict[str, tuple[str, _Identity]]:
    """Hash and identity by folder, oldest first; a record that is damaged says nothing."""
    try:
        with record.open("rb") as opened:
            data = parse_json(opened.read(_MOST_BYTES).decode("utf-8"))
        if data["version"] != _VERSION:
            return {}
        return {
            str(place): (str(note["weights"]), [[int(n) for n in of] for of in note["files"]])
            for place, note in data["folders"].items()
        }
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError):
        return {}


def _write(record: Path, notes: dict[str, tuple[str, _Identity]]) -> None:
    newest = list(notes.items())[-_MOST_NOTES:]
    folders = {place: {"weights": w, "files": files} for place, (w, files) in newest}
    # Without a record everything is hashed anew, which is slower and as right.
    with suppress(SkillretError):
        write_text(record, json.dumps({"version": _VERSION, "folders": folders}, indent=1) + "\n")
