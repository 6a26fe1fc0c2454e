"""A training run from recipe to model folder."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from skillret._version import __version__
from skillret.encoders.profile import Profile
from skillret.encoders.token_projection import TokenProjection
from skillret.errors import InputError, SkillretError, TrainingError
from skillret.extras import require
from skillret.files import parse_json, write_text
from skillret.training.recipe import Recipe, parse_recipe

__all__ = ["check_devices", "train", "versions"]

_NEEDED = ("torch", "sentence_transformers", "datasets", "accelerate", "pytrec_eval", "matplotlib")
_PACKAGES = (
    "sentence-transformers",
    "transformers",
    "torch",
    "accelerate",
    "datasets",
    "tokenizers",
)
_LOCK, _DATA, _MARK = "prepare.lock", "data", "prepared-by-skillret"
# What may differ when a run is resumed: none of it changes what a step does.
_FREE = {"output.keep_checkpoints", "output.report_to", "evaluate.batch_size"}


def train(
    recipe: Recipe,
    output: Path,
    *,
    data: str | None = None,
    libraries: Sequence[str] = (),
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train an embedding model or a reranker, as the recipe says.

    Under `torchrun` every process calls this; the first one writes.

    Args:
        recipe: What to do.
        output: Folder of the run: `run.json`, `log.csv`, `curve.png`, `checkpoints/`, `model/`.
        data: Overrides `data.source` of the recipe.
        libraries: Folders of skills, for data that is a file or the skills' own eval queries.
        resume: Go on from the newest complete checkpoint in `output`.
        say: Takes a line for people.

    Returns:
        The folder of the trained model, in sentence-transformers format (a reranker's is a
        `CrossEncoder`).

    Raises:
        InputError: If an argument or the recipe is at fault.
        DatasetError: If the data is empty, incomplete or malformed.
        EncoderError: If the base model cannot be loaded.
        MissingExtraError: If a library that is needed is not installed.
        TrainingError: If the run cannot go on.
    """
    require("train", "training", _NEEDED)
    _check_trackers(recipe.output.report_to)
    first = os.environ.get("RANK", "0") == "0"
    tell = say if first else _silent
    problem = stored = None
    if first:
        try:
            stored = _check_output(output, recipe, resume)
        except InputError as e:
            problem = e
    device = check_devices(recipe)
    state, problem = _join(device, problem)
    if problem is not None:
        raise problem
    from skillret.training.prepare import prepare

    output.mkdir(parents=True, exist_ok=True)
    # Whoever comes first prepares; a lock, unlike a barrier, has no time limit to exceed and
    # serves nodes with and without a shared file system.
    with FileLock(output / _LOCK):
        (output / _DATA).mkdir(exist_ok=True)
        (output / _DATA / _MARK).touch()
        prepared = prepare(recipe, output / _DATA, data, libraries, device, tell)
    _check_agreement(prepared.facts, output)
    run: dict[str, Any] = {
        "name": recipe.name,
        "status": "running",
        "recipe": recipe.to_json(),
        "data": dict(prepared.facts),
        "base": prepared.base,
        "device": {
            "kind": device,
            "name": _device_name(device),
            "processes": state.num_processes,
            "precision": recipe.train.precision,
        },
        "seed": recipe.train.seed,
        "versions": versions(),
        "resumed": [*(stored or {}).get("resumed", []), *([time.time()] if stored else [])],
    }
    if first:
        _write_run(output, run)
    for line in prepared.report:
        tell(line)
    if not resume:
        tell(f"run folder: {output}")

    from skillret.training.fit import fit

    try:
        result, rows, trainer = fit(recipe, prepared, output, device, resume, tell)
    except BaseException as e:
        if first:
            with suppress(SkillretError):  # such as a full disk, which ended the run
                reason = str(e) or type(e).__name__
                _write_run(output, run | {"status": "stopped", "reason": reason})
        raise
    run |= {"status": "finished", "result": result}
    if first:
        _write_model(recipe, run, rows, trainer, output / "model", prepared.projection)
        _write_run(output, run)
    state.wait_for_everyone()
    return output / "model"


def check_devices(recipe: Recipe) -> str:
    """The device that this process trains on, `cpu` or `cuda`.

    Raises:
        TrainingError: If the recipe is made for another number of processes than run, for more
            GPUs than there are, or for a precision that the device has not.
    """
    import torch

    wanted, batch = recipe.train.devices, recipe.train.batch_size
    world = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    kind = recipe.train.device
    if kind == "auto":
        kind = "cuda" if gpus else "cpu"
    if kind == "cuda" and here > gpus:
        raise TrainingError(
            f"{here} processes on this machine want a GPU each, and it has {gpus}; start fewer"
            f" (torchrun --nproc-per-node {max(gpus, 1)}) or set train.device=cpu"
        )
    if wanted != world:
        less = f"train.batch_size={batch * wanted // max(world, 1)}"
        raise TrainingError(
            f"the recipe is made for {wanted} devices with {batch} pairs each, and {world}"
            f" process{'es' * (world > 1)} run; start it with torchrun --nproc-per-node {wanted} -m"
            f" skillret train ..., or keep its batch with --set train.devices={world} --set {less}"
            " --set loss.mini_batch_size=16"
        )
    if kind == "cuda" and recipe.train.precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise TrainingError("this GPU has no bfloat16; set train.precision=fp16 or fp32")
    return kind


def _check_trackers(names: Sequence[str]) -> None:
    for name in names:
        if find_spec(name) is None:
            raise InputError(
                f"output.report_to asks for {name}, which is not installed: pip install {name}"
            )


def _check_agreement(facts: Mapping[str, Any], output: Path) -> None:
    """All processes train on the same data.

    Nodes without a shared file system prepare it each for themselves, and one of them may hold
    what an earlier run of another recipe has left.
    """
    from accelerate.utils import gather_object

    mine = tuple(facts[k] for k in ("skills_sha256", "queries_sha256", "pairs_sha256"))
    found = gather_object([mine])
    strangers = [rank for rank, theirs in enumerate(found) if theirs != found[0]]
    if strangers:
        raise TrainingError(
            f"process {strangers[0]} prepared other data than process 0; delete {output} on its"
            " node, or give every node the same data"
        )


def _silent(line: str) -> None:
    pass


def _join(device: str, problem: InputError | None) -> tuple[Any, InputError | None]:
    """Join the process group, if there is one; its state, and the first process's problem.

    All processes end with that problem, and none touches the output folder before it is checked.
    """
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="OMP_NUM_THREADS")
        state = PartialState(cpu=device == "cpu")
    return state, broadcast_object_list([problem])[0]


def _check_output(output: Path, recipe: Recipe, resume: bool) -> Mapping[str, Any] | None:
    """The stored run, when resuming.

    Raises:
        InputError: If the folder is in use, or holds no run of this recipe to resume.
    """
    if not resume:
        if output.exists() and not output.is_dir():
            raise InputError(f"{output} is a file; give a folder with --output")
        if output.is_dir() and any(output.iterdir()) and not _clear_prepared(output):
            raise InputError(
                f"the output folder {output} is not empty; give another one with --output, or go on"
                " with the run in it by --resume"
            )
        return None
    try:
        stored = parse_json((output / "run.json").read_text(encoding="utf-8"))
        before = parse_recipe(stored["recipe"], "").to_json()
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"nothing to resume: {output} holds no run.json of a run") from None
    now = recipe.to_json()
    if before["kind"] != recipe.kind:
        raise InputError(
            f"cannot resume: the run trains a model of kind {before['kind']!r}, not {recipe.kind!r}"
        )
    for section, keys in now.items():
        if not isinstance(keys, dict):
            continue
        for key, value in keys.items():
            path = f"{section}.{key}"
            old = before[section][key]
            if path not in _FREE and old != value:
                raise InputError(
                    f"cannot resume: {path} was {old!r} and is {value!r} now; a run goes on with"
                    " the recipe that it began with"
                )
    return stored if isinstance(stored, dict) else None


def _clear_prepared(output: Path) -> bool:
    """Delete what a call has left that ended before its training began, if there is no more."""
    lock, data = output / _LOCK, output / _DATA
    if not lock.is_file() or {e.name for e in output.iterdir()} - {_LOCK, _DATA}:
        return False
    if data.exists() and not (data / _MARK).is_file():  # a data set of the user's
        return False
    try:
        with FileLock(lock, blocking=False):
            shutil.rmtree(data, ignore_errors=True)
    except Timeout:  # another process prepares there now
        return False
    return True


def _write_run(output: Path, run: Mapping[str, Any]) -> None:
    write_text(output / "run.json", json.dumps(run, indent=2, allow_nan=False) + "\n")


def _write_model(
    recipe: Recipe,
    run: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    trainer: Any,
    folder: Path,
    projection: TokenProjection | None,
) -> None:
    if recipe.kind == "reranker":
        from skillret.training.reranker.card import write_reranker_card as write_card
    else:
        from skillret.training.card import write_card

    trainer.save_model(str(folder))
    card = write_card(recipe, run, rows, run["result"]["best_step"])
    (folder / "README.md").write_text(card, encoding="utf-8")
    source = f"trained by skillret {__version__} with the recipe {recipe.name}"
    if recipe.kind == "reranker":
        replace(trainer.model.profile, source=source).save(folder)
        return
    profile = Profile(
        name=recipe.name,
        query_prompt=recipe.model.query_prompt,
        document_prompt=recipe.model.document_prompt,
        template=recipe.model.template,
        max_query_tokens=recipe.model.max_tokens,
        max_document_tokens=recipe.model.max_tokens,
        source=source,
        token_dim=0 if projection is None else recipe.loss.token_dim,
        token_projection="" if projection is None else projection.save(folder),
    )
    text = json.dumps(profile.to_json(), indent=2, allow_nan=False) + "\n"
    (folder / "profile.json").write_text(text, encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of what decides how a run ends, for run.json."""
    found = {"Python": platform.python_version(), "skillret": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _device_name(device: str) -> str:
    import torch

    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"
