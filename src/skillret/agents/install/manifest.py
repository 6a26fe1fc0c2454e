"""What `install` has written: the only authority for taking it back.

It lies in skillret's data directory, with what the files held before, for their owner alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from skillret.agents.install.jsonc import Inserted
from skillret.errors import SkillretError
from skillret.files import read_text, replacing

__all__ = ["Manifest", "Part", "Record", "Told", "digest", "missing_folders", "remove_folders"]

_VERSION = 2
_MAX_BYTES = 16 << 20
_WAIT = 20  # seconds for another install


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def missing_folders(file: Path) -> list[Path]:
    """The folders that must be made for a file, innermost first."""
    return [folder for folder in file.parents if not folder.exists()]


def remove_folders(folders: Sequence[Path]) -> None:
    """Remove folders, innermost first, as far as they are empty."""
    for folder in folders:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return


@dataclass(slots=True)
class Part:
    """What was written into a file for one owner; all of it if neither of these.

    Attributes:
        entries: The values that were inserted into its JSON.
        lines: The lines that were put into its text.
        base: What its JSON holds besides, if we made it.
        program: What it calls, if it calls one.
    """

    entries: list[Inserted] = field(default_factory=list)
    lines: str = ""
    base: dict[str, Any] = field(default_factory=dict)
    program: str = ""


@dataclass(slots=True)
class Record:
    """What was written into one file.

    Attributes:
        path: The file, absolute; perhaps a link.
        around: The folder that no link may lead out of.
        before: Digest of what it held before; None if there was no file.
        after: Digest of what it held then.
        parts: What was written for each owner.
        folders: Those that were made for it, innermost first.
    """

    path: str
    around: str
    before: str | None
    after: str
    parts: dict[str, Part] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


class Told(NamedTuple):
    """A client that has added the MCP server by its own command.

    Attributes:
        client: Its name.
        project: Where, if not for its user; else empty.
    """

    client: str
    project: str


class Manifest:
    """What was written, and who was told.

    Attributes:
        folder: Where it lies.
        records: What was written, by the path of the file.
        told: Clients that keep their servers by a command of their own.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Read it.

        Raises:
            SkillretError: If it is damaged, or cannot be read.
        """
        self.folder = folder or _usual_folder()
        self.records: dict[str, Record] = {}
        self.told: set[Told] = set()
        self._made: list[str] = []
        file = self.folder / "manifest.json"
        try:
            if not os.path.lexists(file):
                return
            self._fill(json.loads(read_text(file, _MAX_BYTES)))
        except OSError as e:
            raise SkillretError(f"cannot read {file}: {e.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise SkillretError(
                f"{file}, which says what `skillret install` has written, is damaged: nothing was"
                " changed; put it right, or move it away and take skillret's hooks out by hand"
            ) from None

    def _fill(self, data: Any) -> None:
        if data["version"] != _VERSION:
            raise ValueError
        self._made = [str(folder) for folder in data["made"]]
        self.told = {Told(str(client), str(project)) for client, project in data.get("told", ())}
        for row in data["files"]:
            parts = {str(owner): _part(part) for owner, part in row.pop("parts").items()}
            record = Record(**row, parts=parts)
            if not all(
                isinstance(text, str) for text in (record.path, record.around, record.after)
            ):
                raise TypeError
            self.records[record.path] = record

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, with the records as they are now; afterwards nothing empty is left.

        Raises:
            SkillretError: If another process holds it for long, or the folder cannot be made.
        """
        from filelock import FileLock, Timeout

        made = missing_folders(self.folder / "lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.folder / "lock", timeout=_WAIT):
                now = Manifest(self.folder)
                self.records, self.told = now.records, now.told
                self._made = now._made or [str(folder) for folder in made]
                try:
                    yield
                finally:
                    self._tidy()
        except Timeout:
            raise SkillretError(
                "another `skillret install` or `uninstall` is at work; wait for it to end"
            ) from None
        except OSError as e:
            raise SkillretError(f"cannot write to {self.folder}: {e.strerror or e}") from None

    def save(self) -> None:
        """Write it.

        Raises:
            SkillretError: If it cannot be written.
        """
        files = []
        for record in self.records.values():
            parts = {
                owner: {**asdict(part), "entries": [e._asdict() for e in part.entries]}
                for owner, part in record.parts.items()
            }
            files.append({**asdict(record), "parts": parts})
        document = {"version": _VERSION, "made": self._made, "files": files}
        if self.told:
            document["told"] = sorted(self.told)
        self._write("manifest.json", json.dumps(document, indent=1).encode())

    def keep(self, data: bytes) -> str:
        """Keep what a file holds; its digest.

        Raises:
            SkillretError: If it cannot be written.
        """
        name = digest(data)
        if self.kept(name) is None:
            self._write(name, data)
        return name

    def kept(self, name: str) -> bytes | None:
        """What was kept under a digest; None if it is gone or damaged."""
        with suppress(OSError):
            data = (self.folder / Path(name).name).read_bytes()
            if digest(data) == name:
                return data
        return None

    def _write(self, name: str, data: bytes) -> None:
        with replacing(self.folder / name) as out:
            if hasattr(os, "fchmod"):
                os.fchmod(out.fileno(), 0o600)
            out.write(data)

    def _tidy(self) -> None:
        """Delete what no record needs any more; everything, if there is none."""
        needed = {record.before for record in self.records.values()}
        for file in self.folder.iterdir():
            if len(file.name) == 64 and file.name not in needed:
                file.unlink(missing_ok=True)
        if self.records or self.told:
            return
        for name in ("manifest.json", "lock"):
            with suppress(OSError):  # Windows deletes no open file
                (self.folder / name).unlink()
        remove_folders([Path(folder) for folder in self._made] or [self.folder])


def _part(data: Any) -> Part:
    entries = [
        Inserted(tuple(map(str, e["path"])), e["value"], int(e["depth"]), str(e["gap"]))
        for e in data["entries"]
    ]
    return Part(entries, str(data["lines"]), dict(data["base"]), str(data["program"]))


def _usual_folder() -> Path:
    import platformdirs

    return platformdirs.user_data_path("skillret", appauthor=False) / "install"
