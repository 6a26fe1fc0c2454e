"""The optimization itself: arguments, loss, evaluator and trainer of one run."""

from __future__ import annotations

import logging
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformerTrainingArguments
from sentence_transformers.cross_encoder import CrossEncoderTrainingArguments
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from skillret.errors import TrainingError
from skillret.training.dev_evaluator import DevEvaluator
from skillret.training.late_interaction import LateInteractionLoss
from skillret.training.log import log_rows
from skillret.training.loss import Labels, Teacher, build_loss
from skillret.training.prepare import Prepared
from skillret.training.recipe import Recipe
from skillret.training.rows import Tables, table_texts
from skillret.training.trainer import (
    GuardedTrainer,
    RerankerTrainer,
    RetrieverTrainer,
    Watch,
    common_checkpoint,
)

__all__ = ["build_trainer", "fit"]

_MOST_WORKERS = 12


def fit(
    recipe: Recipe,
    prepared: Prepared,
    output: Path,
    device: str,
    resume: bool,
    say: Callable[[str], None],
) -> tuple[dict[str, Any], list[dict[str, Any]], GuardedTrainer]:
    """Train, and leave the best weights in the trainer's model.

    Returns:
        The result for run.json, the rows of the log, and the trainer.

    Raises:
        TrainingError: If the run cannot go on.
    """
    checkpoints, metric = output / "checkpoints", recipe.evaluate.metric
    checkpoint = common_checkpoint(checkpoints) if resume else None
    if resume and checkpoint is None:
        say("no checkpoint was complete: starting from step 0 again")
    with _quiet():
        watch = Watch(output, metric, say)
        resumed = checkpoint is not None
        trainer = build_trainer(recipe, prepared, checkpoints, device, [watch], resumed=resumed)
        if checkpoint is not None:
            say(f"resuming from {checkpoint.name}")
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except RuntimeError as e:
            raise _lost(e) from e
        state = trainer.state
        lost = state.best_model_checkpoint is None and bool(state.best_global_step)
        lost = lost and recipe.evaluate.keep == "best"
        if lost and state.is_world_process_zero:
            raise TrainingError(f"the best checkpoint, step {state.best_global_step}, is gone")
    rows = log_rows(state.log_history)
    best_kept = recipe.evaluate.keep == "best" and state.best_model_checkpoint is not None
    kept = state.best_global_step if best_kept else state.global_step
    chosen = next((r for r in rows if r["step"] == kept), rows[-1])
    result = {
        "steps": state.global_step,
        "epochs": round(float(state.epoch or 0.0), 4),
        "seconds": round(trainer.seconds, 1),
        "best_step": kept,
        "dev": {k: v for k, v in chosen.items() if "@" in k},
    }
    before, what = next((r for r in rows if r["step"] == 0), None), "its base"
    if recipe.kind == "reranker":
        before, what = prepared.facts["pool"]["found"], "the order that it is given"
    if before is not None and before.get(metric, 0.0) >= chosen[metric]:
        say(
            f"warning: the model does not beat {what} on dev ({metric} {before[metric]:.4f}"
            f" before, {chosen[metric]:.4f} after)"
        )
    return result, rows, trainer


def build_trainer(
    recipe: Recipe,
    prepared: Prepared,
    checkpoints: Path,
    device: str,
    callbacks: Sequence[TrainerCallback],
    *,
    resumed: bool = False,
) -> GuardedTrainer:
    """Everything that trains, ready to begin, with all seeds set.

    Args:
        recipe: What to do.
        prepared: What it starts from.
        checkpoints: Folder for them.
        device: As `check_devices` has it.
        callbacks: Of transformers; there are no others that print.
        resumed: Whether a checkpoint will be gone on from.
    """
    arguments = _arguments(recipe, checkpoints, device, resumed=resumed)
    _seed(recipe.train.seed)
    if recipe.train.activation_checkpointing:
        _checkpoint_activations(prepared.model)
    make = _retriever if recipe.kind == "embedding" else _reranker
    trainer = make(recipe, prepared, arguments, callbacks=list(callbacks))
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    return trainer


def _arguments(recipe: Recipe, folder: Path, device: str, *, resumed: bool) -> Any:
    train, evaluate = recipe.train, recipe.evaluate
    workers = _workers(device)
    kind, prompts = CrossEncoderTrainingArguments, None
    if recipe.kind == "embedding":
        kind, prompts = SentenceTransformerTrainingArguments, _prompts(recipe)
    return kind(
        output_dir=str(folder),
        per_device_train_batch_size=train.batch_size,
        per_device_eval_batch_size=evaluate.batch_size,
        gradient_accumulation_steps=train.accumulate,
        num_train_epochs=train.epochs,
        max_steps=train.max_steps or -1,
        learning_rate=train.learning_rate,
        warmup_steps=train.warmup,  # below 1 it is a share
        lr_scheduler_type=train.schedule,
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        optim=train.optimizer,
        bf16=train.precision == "bf16",
        fp16=train.precision == "fp16",
        use_cpu=device == "cpu",
        seed=train.seed,
        data_seed=train.seed,
        prompts=prompts,
        # The same batches whatever the number of processes: a short last one would differ.
        dataloader_drop_last=True,
        dataloader_pin_memory=device == "cuda",
        dataloader_num_workers=workers,
        eval_strategy="steps",
        save_strategy="steps",
        logging_strategy="steps",
        eval_steps=evaluate.every_steps,
        save_steps=evaluate.every_steps,
        logging_steps=evaluate.every_steps,
        logging_nan_inf_filter=False,  # a loss that is no number ends the run instead
        eval_on_start=not resumed,
        metric_for_best_model=evaluate.metric,
        greater_is_better=True,
        load_best_model_at_end=evaluate.keep == "best",
        save_total_limit=recipe.output.keep_checkpoints,
        report_to=list(recipe.output.report_to) or "none",
        run_name=recipe.name,
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
    )


def _workers(device: str) -> int:
    """Processes that make tokens of texts while a GPU computes; a CPU has enough to do without.

    Forked ones alone: any other would be handed a copy of the model with the tokenizer.
    """
    if device != "cuda" or multiprocessing.get_all_start_methods()[0] != "fork":
        return 0
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(0, min(_MOST_WORKERS, (os.cpu_count() or 1) // processes - 2))


def _prompts(recipe: Recipe) -> dict[str, str]:
    """Prompts by column; the trainer ignores the names of columns that it does not have."""
    count = recipe.negatives.per_pair
    names = ["skill", *(f"negative_{i}" for i in range(1, count + 1))]
    prompts = dict.fromkeys(names, recipe.model.document_prompt)
    return {"query": recipe.model.query_prompt, **prompts}


def _retriever(
    recipe: Recipe, prepared: Prepared, arguments: Any, callbacks: list[Any]
) -> GuardedTrainer:
    """The trainer of an embedding model."""
    teacher = None
    if prepared.teacher is not None:
        teacher = Teacher(*prepared.teacher, recipe.distill)
    tables = prepared.tables
    columns = 1 + int(prepared.facts["hard_negatives"])

    def name_batch(labels: torch.Tensor) -> Sequence[str]:
        batch = Labels.unpack(labels, columns)
        return _named(tables, batch.queries.tolist(), batch.skills[:, 0].tolist())

    loss = build_loss(prepared.model, recipe.loss, teacher)
    if prepared.projection is not None:
        loss = LateInteractionLoss(prepared.model, loss, prepared.projection, recipe.loss)
    lengths = None
    if recipe.train.group_by_length:
        by_query = [len(text) for text in table_texts(tables.queries, "text")]
        lengths = [by_query[query] for query in tables.pairs[:, 0].tolist()]
    return RetrieverTrainer(
        name_batch=name_batch,
        lengths=lengths,
        model=prepared.model,
        args=arguments,
        train_dataset=prepared.pairs,
        loss=loss,
        evaluator=DevEvaluator(
            tables.dev,
            recipe.model.query_prompt,
            recipe.model.document_prompt,
            recipe.evaluate.batch_size,
            recipe.evaluate.metric,
        ),
        callbacks=callbacks,
    )


def _reranker(
    recipe: Recipe, prepared: Prepared, arguments: Any, callbacks: list[Any]
) -> GuardedTrainer:
    """The trainer of a reranker."""
    from skillret.training.reranker.evaluator import PoolEvaluator
    from skillret.training.reranker.groups import Collator
    from skillret.training.reranker.loss import GroupLoss

    tables, evaluate = prepared.tables, recipe.evaluate

    def name_batch(labels: torch.Tensor) -> Sequence[str]:
        return _named(tables, labels[:, 0].tolist(), labels[:, 1].tolist())

    return RerankerTrainer(
        name_batch=name_batch,
        model=prepared.model,
        args=arguments,
        train_dataset=prepared.pairs,
        data_collator=Collator(prepared.model),
        loss=GroupLoss(prepared.model, recipe.loss.objective),
        evaluator=PoolEvaluator(tables.dev, prepared.pool, evaluate.batch_size, evaluate.metric),
        callbacks=callbacks,
    )


def _named(tables: Tables, queries: list[int], skills: list[int]) -> list[str]:
    """A batch as `query -> skill` ids."""
    ids = zip(tables.queries[queries]["id"], tables.skills[skills]["id"], strict=True)
    return [f"{query} -> {skill}" for query, skill in ids]


def _checkpoint_activations(model: Any) -> None:
    """Recompute activations in the backward pass instead of keeping them.

    On the transformer itself: the trainer's own switch goes through a method of
    sentence-transformers that transformers calls deprecated.
    """
    from transformers import PreTrainedModel

    for module in model:
        inner = getattr(module, "model", None)
        if isinstance(inner, PreTrainedModel):
            # The reentrant form works neither under DDP nor where the input needs no gradient.
            inner.activation_checkpointing_enable({"use_reentrant": False})
            inner.config.use_cache = False


def _seed(seed: int) -> None:
    from transformers import set_seed

    set_seed(seed)


def _lost(error: RuntimeError) -> Exception:
    """A clear error where a process of the run has died; anything else as it is."""
    text = str(error)
    signs = ("Connection closed by peer", "Connection reset", "NCCL", "gloo", "Broken pipe")
    if any(sign in text for sign in signs):
        reason = next(iter(text.strip().splitlines()), "")
        return TrainingError(
            f"another process of the run is gone ({reason[:200]}); see its own message, then go on"
            " with --resume"
        )
    if "out of memory" in text.lower():
        return TrainingError(
            "the device is out of memory; lower train.batch_size, or keep it and set"
            " loss.mini_batch_size (gradient caching) or train.activation_checkpointing=true"
        )
    return error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' notes about defaults that are meant to be as they are off the screen."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # one bar, of the training, is enough
    names = ("sentence_transformers", "transformers", "accelerate", "datasets")
    before = {n: logging.getLogger(n).level for n in names}
    for n in names:
        logging.getLogger(n).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Of calls between the libraries, which no one here can change.
            for module in ("accelerate", "sentence_transformers"):
                warnings.filterwarnings("ignore", category=FutureWarning, module=module)
            yield
    finally:
        for n, level in before.items():
            logging.getLogger(n).setLevel(level)
