"""The training of a query's reader, from an exported encoder to a model folder.

An encoder keeps its documents' vectors and states; a copy of it learns to read queries for late
interaction with them. It runs on a CPU in an hour or two, as documents are read once, before the
first step.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skillret.encoders.token_projection import TokenProjection
from skillret.encoders.weights import hash_weights
from skillret.errors import InputError, SkillretError, TrainingError
from skillret.extras import require
from skillret.files import check_fresh, parse_json, replacing, write_text
from skillret.training.log import write_log
from skillret.training.query_tokens.candidates import Group, pick
from skillret.training.query_tokens.evaluate import evaluate
from skillret.training.query_tokens.export import export_query_tokens
from skillret.training.query_tokens.load import check_same, load_parts, load_reader
from skillret.training.query_tokens.loss import batch_losses
from skillret.training.query_tokens.model import QueryReader
from skillret.training.query_tokens.prepare import Data, Prepared, open_data, prepare
from skillret.training.run import versions
from skillret.training.sections import QueryTokensSection

__all__ = ["Batches", "fit_query_tokens"]

Say = Callable[[str], None]

_MIXED = 8  # batches are drawn so many at a time, and one of like lengths taken
_LEAST_RATE = 0.02  # of the largest
_TOLD = 25  # steps from one line to the next
_CHECKPOINT, _RUN, _DATA = "checkpoint.pt", "run.json", "data"


def fit_query_tokens(
    encoder: Path,
    base: Path,
    data: str,
    output: Path,
    settings: QueryTokensSection,
    *,
    seen: str | None = None,
    resume: bool = False,
    say: Say = lambda line: None,
) -> Path:
    """Train what reads queries for late interaction with the documents of an encoder.

    Args:
        encoder: Folder of an exported encoder, ONNX with a projection of tokens and a calibration.
        base: The same encoder as torch knows it, a folder of a `BertModel`.
        data: Data set with the splits that the settings name.
        output: Folder of the run: `run.json`, `log.csv`, `checkpoint.pt`, `data/`, `model/`.
        settings: All else.
        seen: Data set whose train split the encoder was trained on.
        resume: Go on from the checkpoint in `output`; it ends as it would have uninterrupted.
        say: Takes a line for people.

    Returns:
        The folder of the encoder with its reader of queries. What was calibrated for the former is
        not for it: how much late interaction counts is chosen after this.

    Raises:
        InputError: If an argument or a setting is at fault.
        DatasetError: If the data is missing or malformed.
        EncoderError: If a model cannot be loaded, or the two are not of one encoder.
        MissingExtraError: If a library that is needed is not installed.
        TrainingError: If the run cannot go on.
    """
    require("train", "training", ("torch", "transformers", "onnx", "pytrec_eval"))
    before = _check_output(output, settings, resume)
    read, ranker, projection = load_parts(encoder)
    reader = load_reader(base, projection, settings.frozen)
    opened = open_data(data, seen, settings)
    check_same(reader, read, [query.text for query in opened.train.queries])
    run: dict[str, Any] = {
        "status": "running",
        "settings": asdict(settings),
        "data": dict(opened.facts),
        "encoder": read.profile.identity,
        "base": {"name": str(base), "weights_sha256": hash_weights(base, "model.safetensors")},
        "versions": versions(),
    }
    for key in ("data", "encoder", "base") if before else ():
        if before[key] != run[key]:
            raise InputError(
                f"cannot resume: {key} of the run in {output} is {before[key]}, not {run[key]}; a"
                " run goes on with what it began with"
            )
    _write_run(output, run)
    started = time.monotonic()
    try:
        prepared = prepare(opened, read, ranker, settings, output / _DATA, say)
        training = _Training(reader, opened, prepared, settings, projection, output)
        if resume:
            training.load(say)
        training.run(say)
    except BaseException as e:
        with suppress(SkillretError):  # such as a full disk, which ended the run
            reason = str(e) or type(e).__name__
            _write_run(output, run | {"status": "stopped", "reason": reason})
        raise
    reader.encoder.set_attn_implementation("eager")
    # Whoever finds a model finds all of it.
    model, partly = output / "model", output / "model.partial"
    export_query_tokens(reader, projection, encoder, partly)
    shutil.rmtree(model, ignore_errors=True)
    partly.replace(model)
    seconds = round(time.monotonic() - started, 1)
    result = {"seconds": seconds, **training.rows[-1]}
    _write_run(output, run | {"status": "finished", "result": result})
    return model


class Batches:
    """Which queries and candidates a step looks at; of the same seed and step always the same.

    Args:
        groups: At least one batch of them, each of a weight above 0.
        settings: Sizes and the seed.
    """

    def __init__(self, groups: Sequence[Group], settings: QueryTokensSection) -> None:
        weights = np.array([group.weight for group in groups])
        self._groups, self._chances = groups, weights / weights.sum()
        self._settings = settings

    def __getitem__(self, step: int) -> list[tuple[Group, NDArray[np.int64]]]:
        """Queries of like lengths, which pad each other little, with places of candidates."""
        size = self._settings.batch_size
        draw = np.random.default_rng([self._settings.seed, step])
        mixed = min(_MIXED, len(self._groups) // size)
        drawn = draw.choice(len(self._groups), size * mixed, p=self._chances, replace=False)
        ordered = sorted(drawn.tolist(), key=lambda i: len(self._groups[i].ids))
        start = int(draw.integers(0, mixed)) * size
        taken = [self._groups[i] for i in ordered[start : start + size]]
        return [(group, pick(group, self._settings.candidates, draw)) for group in taken]


class _Training:
    """A reader in training, with all that changes from step to step."""

    def __init__(
        self,
        reader: QueryReader,
        data: Data,
        prepared: Prepared,
        settings: QueryTokensSection,
        projection: TokenProjection,
        output: Path,
    ) -> None:
        self._reader, self._data, self._prepared = reader, data, prepared
        self._settings = settings
        self._silent, self._output = torch.from_numpy(projection.silent), output
        self._batches = Batches(prepared.groups, settings)
        # A logarithm: it stays above 0, and a step changes it by a share.
        self._gain = torch.nn.Parameter(torch.tensor(settings.late_weight).log())
        layers = [p for p in reader.encoder.parameters() if p.requires_grad]
        inner = {id(p) for p in reader.encoder.parameters()}
        heads = [*(p for p in reader.parameters() if id(p) not in inner), self._gain]
        self._learnt = [*layers, *heads]
        self._rates = (settings.learning_rate, settings.head_learning_rate)
        self._optimizer = torch.optim.AdamW(
            [{"params": layers}, {"params": heads}], weight_decay=settings.weight_decay
        )
        self._step = 0
        self.rows: list[dict[str, float]] = []

    def run(self, say: Say) -> None:
        """Train from where it is to the last step."""
        s = self._settings
        self._reader.eval()  # without dropout
        if not self._step and not self.rows:
            self._evaluate({}, say)
        sums, done = np.zeros(4), 0
        while self._step < s.steps:
            sums, done = sums + self._learn(), done + 1
            self._step += 1
            last = self._step in (s.steps, *range(0, s.steps, s.every_steps))
            if last or done % _TOLD == 0:
                names = ("loss", "residual", "pure", "first")
                means = dict(zip(names, (sums / done).tolist(), strict=True))
                told = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
                say(f"step {self._step}: {told}")
            if last:
                self._evaluate(means, say)
                self._save()
                sums, done = np.zeros(4), 0

    def _learn(self) -> NDArray[np.float64]:
        """One step; its loss, the two parts, and the share of queries that are right."""
        s, step = self._settings, self._step
        factor = min(1.0, (step + 1) / s.warmup) * max(_LEAST_RATE, 1 - step / s.steps)
        for part, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            part["lr"] = rate * factor
        found = batch_losses(
            self._reader,
            self._gain.exp(),
            s.scale,
            self._batches[step],
            self._prepared.states,
            self._silent,
        )
        loss = s.residual * found.residual + s.pure * found.pure
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of step {step + 1} is no number; lower query_tokens.learning_rate or"
                " query_tokens.head_learning_rate"
            )
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._learnt, s.max_grad_norm)
        self._optimizer.step()
        parts = (loss, found.residual, found.pure)
        return np.array([*(part.detach().item() for part in parts), found.first])

    def _evaluate(self, means: Mapping[str, float], say: Say) -> None:
        """Measure on dev; write the log."""
        dev, prepared = self._data.dev, self._prepared
        ids = [skill.id for skill in dev.skills]
        found = evaluate(
            *(self._reader, prepared.dev, ids, dev.qrels, prepared.dev_states, self._silent)
        )
        late = {"late_weight": self._gain.detach().exp().item()}
        self.rows.append({"step": self._step, **means, **late, **found})
        told = ", ".join(f"{name.partition('+')[2]}: {value:.4f}" for name, value in found.items())
        say(f"step {self._step}: NDCG@10 of dev by the weight of late interaction: {told}")
        columns = ("step", "loss", "residual", "pure", "first", *late, *found)
        write_log(self.rows, self._output / "log.csv", columns)

    def _save(self) -> None:
        state = {
            "step": self._step,
            "reader": self._reader.state_dict(),
            "gain": self._gain.detach(),
            "optimizer": self._optimizer.state_dict(),
            "rows": self.rows,
        }
        with replacing(self._output / _CHECKPOINT) as out:
            torch.save(state, out)

    def load(self, say: Say) -> None:
        """Go back to where the last checkpoint was written, if any was.

        Raises:
            TrainingError: If it is damaged.
        """
        file = self._output / _CHECKPOINT
        if not file.is_file():
            say("there is no checkpoint yet: starting from step 0")
            return
        try:
            state = torch.load(file, weights_only=True)
            self._reader.load_state_dict(state["reader"])
            self._optimizer.load_state_dict(state["optimizer"])
            with torch.no_grad():
                self._gain.copy_(state["gain"])
            self._step, self.rows = int(state["step"]), list(state["rows"])
        except Exception as e:  # a damaged file fails in many ways
            reason = next(iter(str(e).splitlines()), type(e).__name__)
            raise TrainingError(
                f"cannot read the checkpoint {file}: {reason:.200}; delete it to start again"
            ) from None
        say(f"going on from step {self._step}")


def _check_output(output: Path, settings: QueryTokensSection, resume: bool) -> Mapping[str, Any]:
    """The stored run, when resuming; empty otherwise.

    Raises:
        InputError: If the folder is in use, or holds no run of these settings to resume.
    """
    if not resume:
        check_fresh(output)
        return {}
    try:
        stored = parse_json((output / _RUN).read_text(encoding="utf-8"))
        before = dict(stored["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"nothing to resume: {output} holds no {_RUN} of a run") from None
    for key, value in json.loads(json.dumps(asdict(settings))).items():
        if before.get(key) != value:
            raise InputError(
                f"cannot resume: query_tokens.{key} was {before.get(key)!r} and is {value!r} now; a"
                " run goes on with the settings that it began with"
            )
    return stored if isinstance(stored, dict) else {}


def _write_run(output: Path, run: Mapping[str, Any]) -> None:
    write_text(output / _RUN, json.dumps(run, indent=2, allow_nan=False) + "\n")
