"""The trainers of sentence-transformers, made to stop on what must not go on.

Everything about optimization, distribution and checkpoints is the library's. Added here: a loss
that is no number ends the run and names its batch; a checkpoint counts only once it is complete;
a checkpoint that cannot be written or read is an error, not a line in a log.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.trainer import BaseTrainer
from sentence_transformers.cross_encoder import CrossEncoderTrainer
from transformers import TrainerCallback

from skillret.errors import TrainingError
from skillret.training.log import log_rows, plot_curve, write_log
from skillret.training.sampler import LengthGroupedBatchSampler

__all__ = ["GuardedTrainer", "RetrieverTrainer", "Watch", "common_checkpoint", "newest_checkpoint"]

COMPLETE = "complete"  # written into a checkpoint after everything else
_SHOWN_IDS = 5
_FULL = 1 << 24  # bytes left on a disk that counts as full


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint; incomplete ones, left by a kill, are deleted."""
    found: list[tuple[int, Path]] = []
    for path in folder.glob("checkpoint-*"):
        match = re.fullmatch(r"checkpoint-(\d+)", path.name)
        if match is None:
            continue
        if (path / COMPLETE).is_file():
            found.append((int(match[1]), path))
        else:
            shutil.rmtree(path, ignore_errors=True)
    return max(found)[1] if found else None


def common_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of the first process.

    Raises:
        TrainingError: If another process does not see it: all must go on from one step.
    """
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list, gather_object

    newest = newest_checkpoint(folder) if PartialState().is_main_process else None
    (name,) = broadcast_object_list([newest and newest.name])
    seen = gather_object([name is None or (folder / name / COMPLETE).is_file()])
    if not all(seen):
        raise TrainingError(
            f"process {seen.index(False)} does not see {folder / name}; share the run folder among"
            " the nodes, or copy it to each of them"
        )
    return None if name is None else folder / name


class GuardedTrainer(BaseTrainer):  # type: ignore[misc]
    """What our trainers add to those of sentence-transformers, which come after it.

    Args:
        name_batch: Turns the labels of a batch into `query -> skill` ids for people.
        **arguments: As of the parent.

    Raises:
        TrainingError: While training, if the loss is not finite or a checkpoint cannot be written.
    """

    def __init__(
        self, *, name_batch: Callable[[torch.Tensor], Sequence[str]], **arguments: Any
    ) -> None:
        self._name_batch = name_batch
        self._start = time.monotonic()
        self._before: float | None = None  # seconds of the parts before this one
        super().__init__(**arguments)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Nothing: the card is written by `skillret.training.card`."""

    @property
    def seconds(self) -> float:
        """How long the run has taken, its parts before a resumption included."""
        return (self._before or 0.0) + time.monotonic() - self._start

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """The parent's, with `seconds`: a checkpoint keeps the log, and so the time so far."""
        if self._before is None:
            kept = [e["seconds"] for e in self.state.log_history if "seconds" in e]
            self._before = kept[-1] if kept else 0.0
        super().log({**logs, "seconds": round(self.seconds, 1)}, start_time)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The parent's loss, if it is a number."""
        labels = inputs["label"]  # some of the parents take it out
        result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        loss = result[0] if return_outputs else result
        if not bool(torch.isfinite(loss.detach()).all()):
            self._stop(float(loss.detach().float().sum()), labels)
        return result

    def _stop(self, loss: float, labels: torch.Tensor) -> None:
        ids = list(self._name_batch(labels))
        step = self.state.global_step + 1
        file = Path(self.args.output_dir) / f"nonfinite-rank{self.args.process_index}.json"
        record = {"step": step, "loss": str(loss), "rank": self.args.process_index, "batch": ids}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        shown = ", ".join(ids[:_SHOWN_IDS])
        more = f" and {len(ids) - _SHOWN_IDS} more in {file}" if len(ids) > _SHOWN_IDS else ""
        raise TrainingError(
            f"the loss is {loss} at step {step} (rank {self.args.process_index}); its batch:"
            f" {shown}{more}. Look at these texts, lower train.learning_rate or set"
            " train.precision=fp32"
        )

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = output_dir or self.args.output_dir
        self.model.save_pretrained(folder, create_model_card=False)
        if self.processing_class is not None:
            self.processing_class.save_pretrained(folder)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
            if self.args.should_save:
                _sync_tree(folder)
                with (folder / COMPLETE).open("w") as marker:
                    os.fsync(marker.fileno())
        except Exception as e:  # torch and safetensors raise their own classes for a full disk
            full = _is_full(e, folder.parent)
            if self.args.should_save:
                shutil.rmtree(folder, ignore_errors=True)
            reason = "the disk is full" if full else next(iter(str(e).splitlines()), repr(e))
            raise TrainingError(
                f"cannot write the checkpoint of step {self.state.global_step} to {folder}:"
                f" {reason}; make room and go on with --resume"
            ) from e

    def _load_best_model(self) -> None:
        # Only the first process writes the model, and another node may not hold the checkpoint.
        if not self.is_world_process_zero():
            return
        # The parent logs a failure and keeps the last weights, which are not the best ones.
        checkpoint = self.state.best_model_checkpoint
        try:
            self._load_from_checkpoint(checkpoint)
        except Exception as e:
            raise TrainingError(f"cannot load the best checkpoint {checkpoint}: {e}") from e


class RetrieverTrainer(GuardedTrainer, SentenceTransformerTrainer):  # type: ignore[misc]
    """Trains on pairs whose labels are rows of `skillret.training.loss.Labels`.

    Args:
        lengths: Of the pairs' queries; batches then hold pairs of similar length.
        **arguments: As of the parents.
    """

    def __init__(self, *, lengths: Sequence[int] | None = None, **arguments: Any) -> None:
        self._lengths = lengths
        super().__init__(**arguments)

    def get_batch_sampler(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """The parent's sampler, or one that groups pairs by length."""
        if self._lengths is None or len(dataset) != len(self._lengths):
            return super().get_batch_sampler(dataset, *args, **kwargs)
        return LengthGroupedBatchSampler(dataset, *args, lengths=self._lengths, **kwargs)


class RerankerTrainer(GuardedTrainer, CrossEncoderTrainer):  # type: ignore[misc]
    """Trains on groups that `skillret.training.reranker.groups.Collator` made batches of."""

    def collect_features(self, inputs: dict[str, Any]) -> tuple[list[dict[str, Any]], torch.Tensor]:
        """The model's tensors and the labels: tokens are made when a batch is."""
        return [{k: v for k, v in inputs.items() if k != "label"}], inputs["label"]


def _is_full(error: Exception, folder: Path) -> bool:
    """Whether an error is that of a full disk; torch only says that a position is unexpected."""
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
        return True
    return shutil.disk_usage(folder).free < _FULL


def _sync_tree(folder: Path) -> None:
    """Put a checkpoint on the disk before it is called complete."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())


class Watch(TrainerCallback):  # type: ignore[misc]
    """Log, curve and progress of a run, written by the first process.

    Args:
        folder: The run's folder.
        metric: The metric that chooses the checkpoint.
        say: Takes a line for people.
    """

    def __init__(self, folder: Path, metric: str, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._metric = metric
        self._say = say
        self._bar: Any = None
        self._told = -1

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the bar."""
        if state.is_world_process_zero and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=state.max_steps, initial=state.global_step, desc="training", unit="step"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Advance the bar; the last step is logged, evaluated and kept whatever its number."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)
        if state.global_step >= state.max_steps:
            control.should_log = control.should_evaluate = control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write what is known so far; the curve is drawn when an evaluation is done."""
        if state.is_world_process_zero:
            self.write(state, draw=False)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Say how it stands."""
        if not state.is_world_process_zero:
            return
        rows = self.write(state)
        if not rows or rows[-1]["step"] == self._told or self._metric not in rows[-1]:
            return
        row = rows[-1]
        self._told = row["step"]
        loss = f"{row['loss']:.4f}" if "loss" in row else "-"
        line = (
            f"epoch {row['epoch']:.2f}  step {row['step']}/{state.max_steps}  loss {loss}"
            f"  dev {self._metric} {row[self._metric]:.4f}"
        )
        if self._bar is not None:
            self._bar.clear()
        self._say(line)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def write(self, state: Any, *, draw: bool = True) -> list[dict[str, Any]]:
        """Write `log.csv` and perhaps `curve.png`; the rows."""
        rows = log_rows(state.log_history)
        write_log(rows, self._folder / "log.csv")
        if draw:
            plot_curve(rows, self._metric, state.best_global_step, self._folder / "curve.png")
        return rows
