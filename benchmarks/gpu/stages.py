"""The packaged recipes at large batches, with and without a teacher; a row for each stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from benchmarks.gpu.results import Column, Session, Table
from benchmarks.gpu.shapes import TINY, peak_memory, save_tiny, write_data
from benchmarks.gpu.transfer import DATA, STUDENT, TEACHER, pack_result
from benchmarks.training import by_query, difference

from skillret import load_encoder
from skillret.errors import InputError
from skillret.training.dev_split import read_dev
from skillret.training.recipe import load_recipe
from skillret.training.run import check_devices, train

__all__ = ["train_stages"]

RECIPES = Path(__file__).parents[2] / "recipes"
COLUMNS = (
    Column("stage", "stage"),
    Column("pairs", "pairs", ","),
    Column("steps", "steps", ","),
    Column("seconds", "seconds", ",.0f"),
    Column("NDCG@10", "ndcg", ".4f"),
    Column("points to the student alone (95 %)", "difference"),
    Column("peak GiB", "memory", ".1f"),
)
ALONE = "student alone"


@dataclass(frozen=True)
class Stage:
    """A training: the settings may name the folders of the inputs and of stages before it."""

    name: str
    recipe: str
    settings: tuple[str, ...]

    @property
    def slug(self) -> str:
        return self.name.replace(" ", "-").replace(",", "")


LEARN = ("distill.teacher={teacher-model}", "distill.target=scores")
FIRST = (
    "model.base={student}",
    "train.batch_size=1024",
    "loss.mini_batch_size=256",
    "train.epochs=3",
    "train.learning_rate=2e-4",
)
STAGES = (
    Stage(
        "teacher",
        "default-1.toml",
        (
            "model.base={teacher}",
            "model.base_name=sentence-transformers/all-mpnet-base-v2",
            "model.attention=eager",  # there is no other for this architecture
            "train.batch_size=512",
            "loss.mini_batch_size=128",
            "train.learning_rate=5e-5",
        ),
    ),
    Stage(ALONE, "default-1.toml", FIRST),
    Stage("student with teacher", "default-1.toml", (*FIRST, *LEARN)),
    Stage(
        "second stage with teacher",
        "default-2.toml",
        (
            "model.base={student-with-teacher-model}",
            "negatives.encoder={student-with-teacher-model}",
            # BM25 of all queries and comparing texts would take a CPU minutes.
            'negatives.sources=["encoder"]',
            "negatives.max_overlap=1",
            "train.batch_size=256",
            "loss.mini_batch_size=128",
            *LEARN,
        ),
    ),
)
COMMON = (
    "model.max_tokens=256",
    "data.dev_split=dev2",
    "train.device=auto",
    "evaluate.every_steps=1000000",  # the first and the last step only
    "evaluate.max_queries=0",
    "evaluate.batch_size=128",
)
DRY = (
    "model.max_tokens=24",
    "data.composed=0",
    "data.sections=0",
    "train.batch_size=4",
    "train.max_steps=1",
    "train.device=cpu",
    "loss.mini_batch_size=2",
)


def train_stages(session: Session) -> None:
    """Train all stages; what the newest student has learned is packed after each.

    Raises:
        InputError: If the weights or the data were not unpacked.
    """
    folders = _inputs(session)
    notes = [
        "The packaged recipes at large batches, measured by exact search over all of dev2."
        if not session.dry
        else "Random models of two layers: the figures mean nothing."
    ]
    table = Table(session, "training", COLUMNS, notes)
    alone: Sequence[float] = ()
    torch.set_float32_matmul_precision("high")  # TF32, for the teacher's vectors and for scores
    for stage in STAGES:
        settings = [s.format(**folders) if "{" in s else s for s in (*stage.settings, *COMMON)]
        run = session.work / "training" / stage.slug
        recipe = load_recipe(RECIPES / stage.recipe, [*settings, *(DRY if session.dry else ())])
        device = check_devices(recipe)
        peak_memory(device)
        model = train(recipe, run, data=folders[DATA], say=partial(print, flush=True))
        memory = peak_memory(device)
        folders[f"{stage.slug}-model"] = str(model)
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        scores = _scores(run)
        table.add(
            {
                "stage": stage.name,
                "pairs": record["data"]["pairs"],
                "steps": record["result"]["steps"],
                "seconds": record["result"]["seconds"],
                "ndcg": float(np.mean(scores)),
                "difference": difference(scores, alone) if alone else "",
                "memory": memory,
            }
        )
        if stage.name == ALONE:
            alone = scores
        elif stage.name != TEACHER:
            pack_result(model, session.out)


def _inputs(session: Session) -> dict[str, str]:
    """Folders of teacher, student and data; in a dry run made on the spot."""
    if session.dry:
        made = session.work / "made"
        splits = (("train", 12), ("dev2", 4))
        return {
            TEACHER: str(save_tiny("mpnet", made / TEACHER)),
            STUDENT: str(save_tiny("bert", made / STUDENT)),
            DATA: str(write_data(made / DATA, splits, (6, 12), TINY.vocabulary)),
        }
    found = {name: session.unpacked / name for name in (TEACHER, STUDENT, DATA)}
    for name, folder in found.items():
        if not folder.is_dir():
            raise InputError(f"no {name} was unpacked to {session.unpacked}: see --inputs")
    return {name: str(folder) for name, folder in found.items()}


def _scores(run: Path) -> Sequence[float]:
    dev, encoder = read_dev(run / "data" / "dev.json"), load_encoder(str(run / "model"))
    queries, documents = (
        encoder.encode_queries(dev.queries),
        encoder.encode_documents(dev.documents),
    )
    return by_query(dev, queries, documents)
