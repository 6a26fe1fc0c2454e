"""The steps in order: what each reads, whether it is still up to date, and what it left behind.

A step's rows are in `steps/NAME.jsonl`, what it dropped in `steps/NAME.dropped.jsonl`, and what it
was made of in `steps/NAME.json`, which is written last. So whatever a kill leaves behind is either
a step that is done or one that is done again; all draws hang on the seed and the row alone, and
paid answers are kept (`models.ledger`), so that the result is that of a run without a kill.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skillret._version import __version__
from skillret.datasets.make.card import write_dataset
from skillret.datasets.make.checking import check_requests
from skillret.datasets.make.config import Config
from skillret.datasets.make.filtering import filter_skills
from skillret.datasets.make.library import LibraryRows, read_library
from skillret.datasets.make.reviews import apply_reviews, review_files
from skillret.datasets.make.sampling import sample_requests
from skillret.datasets.make.sorting import sort_skills
from skillret.datasets.make.splitting import split_skills
from skillret.datasets.make.step import Context, Result
from skillret.datasets.make.tagging import tag_skills
from skillret.datasets.make.writing import write_requests
from skillret.datasets.row_files import Row, read_rows, write_rows
from skillret.errors import InputError, SkillretError
from skillret.files import parse_json, write_text

if TYPE_CHECKING:
    from skillret.datasets.make.models.asker import Asker
    from skillret.datasets.make.models.ledger import Ledger

__all__ = ["STEPS", "Pipeline", "StepReport"]


@dataclass(frozen=True, slots=True)
class _Step:
    """What a step reads: rows of earlier ones, and sections of the configuration."""

    needs: tuple[str, ...]
    sections: tuple[str, ...]
    run: Callable[[Context], Result] | None = None


_PLAN = {
    "filter": _Step((), ("filter",)),
    "tag": _Step(("filter",), ("tag",), tag_skills),
    "taxonomy": _Step(("filter", "tag"), ("taxonomy",), sort_skills),
    "split": _Step(("filter",), ("seed", "split"), split_skills),
    "sample": _Step(("filter", "taxonomy", "split"), ("seed", "sample", "write"), sample_requests),
    "write": _Step(("filter", "split", "sample"), ("seed", "write"), write_requests),
    "check": _Step(("filter", "split", "write"), ("seed", "check"), check_requests),
    "review": _Step(("check",), (), apply_reviews),
    "card": _Step(("filter", "tag", "taxonomy", "split", "review"), ("name", "seed", "check")),
}
STEPS = tuple(_PLAN)
_BY_MODEL = ("tag", "taxonomy", "sample", "write")
# What an endpoint is asked changes its answers; how fast and at what price does not.
_ANSWERING = ("kind", "name", "temperature", "max_tokens", "options", "attempts")


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step did.

    Attributes:
        name: Of the step.
        summary: Counts, and what was dropped and why, in one line.
        fresh: Whether it ran; otherwise it was up to date.
        edited: Whether its rows were changed by hand since; they are kept.
    """

    name: str
    summary: str
    fresh: bool
    edited: bool = False


class Pipeline:
    """A benchmark in the making, in a folder of its own.

    Args:
        library: As in `read_library`.
        folder: Empty, not there yet, or one that an earlier run has begun.
        config: The configuration.
        split: Of the library, if it is a data set.
        model: Who is asked to tag, sort and write; None for templates.
        test_model: Who is asked to write for splits of tests instead; None if nobody is.
        judge: Who is asked to judge; None if nobody.
        ledger: What was asked and what it cost; None if nobody is.

    Raises:
        InputError: If the folder holds something else.
    """

    def __init__(
        self,
        library: str,
        folder: Path,
        config: Config,
        *,
        split: str | None = None,
        model: Asker | None = None,
        test_model: Asker | None = None,
        judge: Asker | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        check_folder(folder)
        self.library, self.folder, self.config, self.split = library, folder, config, split
        self.context = Context(config, self.rows, folder, model, test_model, judge, ledger)

    def run(self, names: Sequence[str] = STEPS) -> Iterator[StepReport]:
        """Do steps that are not up to date, in their order; one that is alone is done again.

        Raises:
            InputError: If an earlier step that one needs has not been done.
            SkillretError: As the steps do; what was finished stays.
        """
        with _alone(self.folder):
            for name in STEPS:
                if name in names:
                    yield self._do(name, again=len(names) == 1)

    def rows(self, name: str) -> list[Row]:
        """The rows of a step.

        Raises:
            InputError: If it has not been done.
        """
        file = self._file(name)
        if not file.is_file():
            raise InputError(f"the step {name} has not been done: run `--step {name}` first")
        return list(read_rows(file))

    def report(self, name: str) -> dict[str, Any]:
        """What a step was made of; empty if it has not been done."""
        file = self.folder / "steps" / f"{name}.json"
        try:
            found = parse_json(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _do(self, name: str, *, again: bool) -> StepReport:
        step = _PLAN[name]
        library: LibraryRows | None = None
        if name == "filter":
            library = read_library(self.library, self.split)
        made_of = self._made_of(name, step, library)
        old = self.report(name)
        file = self._file(name)
        if not again and old.get("made_of") == made_of and file.is_file():
            edited = self._is_edited(name)
            return StepReport(name, str(old.get("summary")), fresh=False, edited=edited)
        try:
            result = self._run(name, step, library)
        except (KeyError, TypeError, AttributeError) as e:
            changed = [n for n in step.needs if self._is_edited(n)]
            if not changed:
                raise
            files = " or ".join(f"steps/{n}.jsonl" for n in changed)
            raise InputError(
                f"{name}: {files} was changed by hand, and a row is not what it must be ({e!r})"
            ) from None
        write_rows(file.with_name(f"{name}.dropped.jsonl"), result.dropped)
        if not result.rows:
            raise InputError(f"{name}: nothing is left: {result.summary()}")
        write_rows(file, result.rows)
        summary = result.summary()
        done = {"made_of": made_of, "digest": _digest(file), "summary": summary}
        write_text(file.with_suffix(".json"), json.dumps(done, indent=1) + "\n")
        return StepReport(name, summary, fresh=True)

    def _run(self, name: str, step: _Step, library: LibraryRows | None) -> Result:
        if library is not None:
            return filter_skills(library, self.config.filter)
        if step.run is not None:
            return step.run(self.context)
        reports = {n: self.report(n) for n in STEPS if n != name}
        return write_dataset(self.context, {n: r for n, r in reports.items() if r})

    def _is_edited(self, name: str) -> bool:
        return _digest(self._file(name)) != self.report(name).get("digest")

    def _made_of(self, name: str, step: _Step, library: LibraryRows | None) -> str:
        """A hash of all that a step's rows hang on."""
        config = self.config.to_json()
        parts: list[Any] = [__version__, name, [config[s] for s in step.sections]]
        roles = ("model",) if name in _BY_MODEL else ("judge",) if name == "check" else ()
        for role in (*roles, *("test_model",) * (name == "write")):
            endpoint = asdict(getattr(self.config, role))
            parts.append({k: endpoint[k] for k in _ANSWERING} if endpoint["kind"] else None)
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        for needed in step.needs:
            file = self._file(needed)
            if not file.is_file():
                raise InputError(f"{name} needs the step {needed}: run `--step {needed}` first")
            digest.update(_digest(file).encode())
        if library is not None:
            for row in (*library.rows, *library.dropped):
                text = json.dumps(row, sort_keys=True, default=str)
                digest.update(text.encode("utf-8", "surrogatepass"))
        if name in ("review", "card"):
            for file in review_files(self.folder):
                digest.update(f"{file.name} {_digest(file)}".encode())
        if name == "taxonomy" and self.config.taxonomy.source == "file":
            file = Path(self.config.taxonomy.file).expanduser()
            digest.update(_digest(file).encode() if file.is_file() else b"")
        return digest.hexdigest()

    def _file(self, name: str) -> Path:
        return self.folder / "steps" / f"{name}.jsonl"


def check_folder(folder: Path) -> None:
    """Make sure that a folder is empty, not there, or one of ours.

    Raises:
        InputError: If it is not.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; give a folder")
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "steps").is_dir():
            raise InputError(f"{folder} holds something else; give a new folder")
    except OSError as e:
        raise InputError(f"cannot look into {folder}: {e.strerror}") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else makes this benchmark meanwhile."""
    from filelock import FileLock, Timeout

    steps = folder / "steps"
    try:
        steps.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SkillretError(f"cannot make the folder {steps}: {e.strerror}") from None
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(steps / ".lock", timeout=0))
        except Timeout:
            raise InputError(f"another process is making {folder}; wait for it") from None
        yield


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
