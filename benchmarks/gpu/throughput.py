"""How fast the 0.6B recipe trains, beside the plain trainer of sentence-transformers."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmarks.gpu.results import Column, Session, Table
from benchmarks.gpu.shapes import (
    QWEN_06B,
    TINY,
    Shape,
    device_name,
    matrix_rate,
    peak_flops,
    peak_memory,
    save_qwen,
    synchronize,
    write_data,
)
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from transformers import PrinterCallback, TrainerCallback

from datasets import Dataset
from skillret.training.fit import build_trainer
from skillret.training.prepare import prepare
from skillret.training.recipe import Recipe, load_recipe
from skillret.training.rows import table_texts
from skillret.training.run import check_devices

__all__ = ["measure_throughput"]

RECIPE = Path(__file__).parents[2] / "recipes" / "skillret-embedding-0.6b.toml"
QUERY_TOKENS = 64  # beside the prompt
# What the plain trainer is given of ours, so that it does the same work.
SHARED = (
    *("per_device_train_batch_size", "max_steps", "learning_rate", "warmup_steps", "optim"),
    *("lr_scheduler_type", "weight_decay", "max_grad_norm", "bf16", "use_cpu", "seed", "data_seed"),
    *("prompts", "dataloader_drop_last", "dataloader_pin_memory", "dataloader_num_workers"),
)
COLUMNS = (
    Column("pairs", "pairs", ","),
    Column("document tokens", "tokens", ","),
    Column("rows a pass", "rows"),
    Column("attention", "attention"),
    Column("trainer", "trainer"),
    Column("pairs/s", "pairs_s", ",.1f"),
    Column("to plain", "ratio", ".2f"),
    Column("tokens/s", "tokens_s", ",.0f"),
    Column("TFLOP/s", "tflops", ",.1f"),
    Column("share of peak", "share", ".1%"),
    Column("peak GiB", "memory", ".1f"),
    Column("first loss", "first_loss", ".4f"),
    Column("largest difference of a loss", "loss_difference", ".1e"),
)


@dataclass(frozen=True)
class Setting:
    """One row pair of the table; `rows` of a forward pass with gradient caching, 0 without it."""

    pairs: int
    tokens: int
    rows: int
    steps: int
    attention: str = "sdpa"


SETTINGS = (
    Setting(96, 1024, 0, 8),
    Setting(16, 8192, 0, 4),
    Setting(32, 8192, 8, 2),  # by gradient caching, which a pair costs the same in any batch
)
DRY = (Setting(4, 24, 0, 1), Setting(4, 48, 2, 1))


class Clock(TrainerCallback):  # type: ignore[misc]
    """Notes when each step has ended, once the GPU is done with it."""

    def __init__(self, device: str) -> None:
        self._device = device
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        synchronize(self._device)
        self.ends.append(time.perf_counter())

    def seconds(self) -> float:
        """Median of a step, data and optimizer included; the first is not counted."""
        return median(b - a for a, b in zip(self.ends, self.ends[1:], strict=False))


def measure_throughput(session: Session) -> None:
    """Train a few steps of each setting with both trainers; a row for each."""
    shape = TINY if session.dry else QWEN_06B
    settings = [*(DRY if session.dry else SETTINGS)]
    if not session.dry and find_spec("flash_attn") is not None:
        settings.append(Setting(96, 1024, 0, 8, "flash_attention_2"))
    work = session.work / "throughput"
    device = "cuda" if torch.cuda.is_available() and not session.dry else "cpu"
    base = save_qwen(shape, work / "base", device)
    name = device_name(device)
    peak = peak_flops(name)
    promised = f"{peak / 1e12:.0f} TFLOP/s (datasheet, BF16, dense)" if peak else "not known"
    reached = matrix_rate(device, session.dry) / 1e12
    notes = [
        f"{name or 'A CPU'}, torch {torch.__version__}. Peak: {promised}; one large product of"
        f" matrices: {reached:,.1f} TFLOP/s. Random weights; activation checkpointing; the FLOPs of"
        " what is computed again are not counted."
    ]
    table = Table(session, "throughput", COLUMNS, notes)
    for number, setting in enumerate(settings):
        folder = work / str(number)
        lengths = (QUERY_TOKENS if not session.dry else 8, setting.tokens)
        pairs = setting.pairs * (setting.steps + 1)
        data = write_data(folder, [("train", pairs), ("dev", 4)], lengths, shape.vocabulary)
        recipe = _recipe(base, setting, device)
        plain: dict[str, Any] = {}
        for kind in ("plain", "ours"):
            try:
                found = _measure(kind, recipe, folder, data, device, shape)
            except torch.OutOfMemoryError:
                found = {"attention": "out of memory"}
            row = {
                "pairs": setting.pairs,
                "tokens": setting.tokens,
                "rows": setting.rows or "all",
                "attention": setting.attention,
                "trainer": "skillret" if kind == "ours" else "sentence-transformers, plain",
                **found,
                "memory": peak_memory(device),
            }
            if peak and "tflops" in row:
                row["share"] = row["tflops"] * 1e12 / peak
            if kind == "plain":
                plain = row
            elif "pairs_s" in row and "pairs_s" in plain:
                row["ratio"] = row["pairs_s"] / plain["pairs_s"]
                losses = zip(row["losses"], plain["losses"], strict=True)
                row["loss_difference"] = max(abs(a - b) for a, b in losses)
            table.add(row)
            gc.collect()
            if device == "cuda":
                torch.cuda.empty_cache()


def _recipe(base: Path, setting: Setting, device: str) -> Recipe:
    """The 0.6B recipe on one device, for a few steps."""
    overrides = (
        f"model.base={str(base)!r}",
        f"model.max_tokens={setting.tokens}",
        f"model.attention={setting.attention}",
        f"train.device={device}",
        "train.devices=1",
        f"train.batch_size={setting.pairs}",
        f"train.max_steps={setting.steps + 1}",
        f"loss.mini_batch_size={setting.rows}",
    )
    return load_recipe(RECIPE, overrides)


def _measure(
    kind: str, recipe: Recipe, folder: Path, data: Path, device: str, shape: Shape
) -> dict[str, Any]:
    """Train with one of the trainers; what a row says of it."""
    clock = Clock(check_devices(recipe))
    prepared = prepare(recipe, folder / "tables", str(data), (), device, _silent)
    trainer: Any = build_trainer(recipe, prepared, folder / "checkpoints", device, [clock])
    # Steps are measured, and neither evaluations nor checkpoints.
    trainer.args.eval_on_start = False
    trainer.args.eval_strategy = trainer.args.save_strategy = "no"
    trainer.args.logging_steps = 1
    tables = prepared.tables
    query, document = (
        prepared.model.preprocess([prompt + next(iter(table_texts(table, column)))])
        for table, column, prompt in (
            (tables.queries, "text", recipe.model.query_prompt),
            (tables.skills, "document", recipe.model.document_prompt),
        )
    )
    lengths = [int(f["input_ids"].shape[1]) for f in (query, document)]
    if kind == "plain":
        trainer = _plain(recipe, prepared, trainer.args, clock)
    peak_memory(device)  # what loading took is not counted
    trainer.train()
    pairs = recipe.train.batch_size / clock.seconds()
    losses = [e["loss"] for e in trainer.state.log_history if "loss" in e]
    return {
        "pairs_s": pairs,
        "tokens_s": pairs * sum(lengths),
        "tflops": pairs * sum(map(shape.training_flops, lengths)) / 1e12,
        "step_seconds": clock.seconds(),
        "query_tokens": lengths[0],
        "document_tokens": lengths[1],
        "first_loss": losses[0],
        "losses": losses,
    }


def _plain(recipe: Recipe, prepared: Any, given: Any, clock: Clock) -> Any:
    """The library's trainer and loss, as its documentation shows them, with our arguments."""
    section = recipe.model
    model = SentenceTransformer(
        section.base,
        device=str(prepared.model.device),
        model_kwargs={"attn_implementation": section.attention, "dtype": torch.float32},
    )
    model.max_seq_length = section.max_tokens
    arguments = SentenceTransformerTrainingArguments(
        output_dir=given.output_dir,
        gradient_checkpointing=True,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **{name: getattr(given, name) for name in SHARED},
    )
    prepared.model.to("cpu")  # room for the other one
    rows, scale = recipe.loss.mini_batch_size, recipe.loss.scale
    loss: Any
    if rows:
        loss = CachedMultipleNegativesRankingLoss(model, scale=scale, mini_batch_size=rows)
    else:
        loss = MultipleNegativesRankingLoss(model, scale=scale)
    columns = {name: prepared.pairs[:][name] for name in ("query", "skill")}
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        loss=loss,
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _silent(line: str) -> None:
    pass
