"""Export of a cross-encoder to the ONNX folder that `OnnxReranker` runs, and what it costs."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skillret.encoders.weights import hash_weights
from skillret.errors import EncoderError, InputError
from skillret.evaluation import significance
from skillret.evaluation.significance import Difference
from skillret.files import parse_json
from skillret.retrieval.rerank import Reranker
from skillret.retrieval.rerankers.profile import PROFILE, RerankerProfile, kind_of_architecture
from skillret.training.dev_split import Dev
from skillret.training.graph import trace, write_graph
from skillret.training.reranker.pool import find_pool, measure_pool_queries
from skillret.training.verify import (
    find_texts,
    ndcg_lines,
    refuse_damage,
    refuse_ndcg,
    some_queries,
)

__all__ = [
    "RerankAgreement",
    "compare_rerankers",
    "export_reranker",
    "find_pool_texts",
    "is_reranker",
]

Int64: TypeAlias = NDArray[np.int64]

_DEPTH = 20  # of a pool, where the model's own run has none
_LEAST_CORRELATION = 0.9  # of all scores of both; less is damage, no rounding


def is_reranker(folder: Path) -> bool:
    """Whether a model folder holds a reranker, and no embedding model."""
    if (folder / PROFILE).is_file():
        return True
    try:
        modules = (folder / "modules.json").read_text(encoding="utf-8")
    except OSError:
        modules = ""
    try:
        config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
        architecture = str(config["architectures"][0])
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return "Pooling" not in modules and kind_of_architecture(architecture) is not None


def export_reranker(
    model_dir: Path, output: Path, profile: RerankerProfile, *, quantize: bool = True
) -> None:
    """Write `model.onnx[.data]`, `tokenizer.json` and `reranker.json` for a cross-encoder.

    Args:
        model_dir: A folder with a `tokenizer.json` and safetensors weights.
        output: The folder to write; its files of these names are replaced.
        profile: Of the model; the hash of the weights is filled in here.
        quantize: int8 weights; float32 otherwise.

    Raises:
        EncoderError: If it is a decoder.
        InputError: If `model_dir` holds no tokenizer.
    """
    if profile.kind == "decoder":
        raise EncoderError(
            f"cannot export {model_dir}: it is a decoder, which is too slow without a GPU to be"
            " worth it; use the folder as it is"
        )
    if not (model_dir / "tokenizer.json").is_file():
        raise InputError(f"{model_dir} is no model folder: it holds no tokenizer.json")
    import torch
    from transformers import AutoModelForSequenceClassification

    # Eager attention: the fused kernels have no ONNX operator.
    model: Any = AutoModelForSequenceClassification.from_pretrained(
        model_dir, attn_implementation="eager", use_safetensors=True, dtype=torch.float32
    )
    names = ["input_ids", "attention_mask"]
    if "token_type_ids" in inspect.signature(model.forward).parameters:
        names.append("token_type_ids")

    class Scorer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> Any:
            return self.model(**dict(zip(names, tensors, strict=True))).logits

    write_graph(
        lambda graph: trace(Scorer(), graph, names, {"logits": 1}), output, quantize=quantize
    )
    shutil.copyfile(model_dir / "tokenizer.json", output / "tokenizer.json")
    replace(profile, weights=hash_weights(output)).save(output)


@dataclass(frozen=True, slots=True)
class RerankAgreement:
    """How close two rerankers are on a pool.

    Attributes:
        pairs: How many queries with documents were compared.
        correlation: Pearson's, of the two scores of each pair.
        same_first: Share of the queries whose first document is the same.
        ndcg: NDCG@10 of the original and of the export, and their difference; None without labels.
    """

    pairs: int
    correlation: float
    same_first: float
    ndcg: Difference | None

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"correlation of the scores with the original's: {self.correlation:.4f}"
            f" ({self.pairs:,} pairs)",
            f"same first document: {self.same_first:.1%}",
            *ndcg_lines(self.ndcg),
        ]

    def refuse_loss(self) -> None:
        """Refuse an export that costs too much.

        Raises:
            TrainingError: If the scores are no longer those of the original, or NDCG@10 falls by
                more than half a point, and by more than chance.
        """
        if self.correlation < _LEAST_CORRELATION:
            refuse_damage("scores", "correlation", self.correlation, _LEAST_CORRELATION)
        refuse_ndcg(self.ndcg)


def find_pool_texts(
    model_dir: Path, dataset: str | None, split: str | None, template: str, limit: int
) -> tuple[Dev, Int64, bool]:
    """Queries with a pool of documents each to compare on, and whether labels mean something.

    The model's own run brings its pool; else it is the first 20 of BM25.

    Args:
        model_dir: See `find_texts`, as the others.
        dataset: Takes precedence.
        split: Of `dataset`.
        template: Document template.
        limit: Take this many queries at most; 0 for all.
    """
    dev, labelled = find_texts(model_dir, dataset, split, template, 0)
    stored = model_dir.resolve().parent / "data" / "pool.npy"
    if dataset is None and stored.is_file():
        pool: Int64 = np.load(stored)
    else:
        pool = find_pool(dev, "bm25", None, (), _DEPTH)
    rows = some_queries(dev, limit)
    return dev.only(rows), pool[rows], labelled


def compare_rerankers(
    original: Reranker,
    exported: Reranker,
    dev: Dev,
    pool: Int64,
    labelled: bool,
    say: Callable[[str], None] = lambda line: None,
) -> RerankAgreement:
    """Score the same pairs with both.

    Args:
        original: The model before export.
        exported: The model after it.
        dev: Texts, and labels if `labelled`.
        pool: int64 `(queries, depth)`, rows of documents; -1 for none.
        labelled: Whether to compute NDCG@10.
        say: Takes a line for people.
    """
    say(
        f"comparing on {dev.origin}: {len(dev.queries):,} queries, {int((pool >= 0).sum()):,} pairs"
    )
    scores = np.full((2, *pool.shape), -np.inf)
    for row, query in enumerate(dev.queries):
        places = np.flatnonzero(pool[row] >= 0)
        texts = [dev.documents[key] for key in pool[row, places].tolist()]
        for number, reranker in enumerate((original, exported) if texts else ()):
            scores[number, row, places] = reranker.scores(query, texts)
    found = pool >= 0
    asked = found.any(axis=1)
    a, b = scores[0][found], scores[1][found]
    vary = bool(a.std() and b.std())
    ndcg = None
    if labelled:
        one, other = (measure_pool_queries(dev, pool, s) for s in scores)
        (ndcg,) = significance.compare(one, other, ["ndcg@10"])
    first = scores.argmax(axis=2)[:, asked]
    return RerankAgreement(
        pairs=len(a),
        correlation=float(np.corrcoef(a, b)[0, 1]) if vary else float((a == b).all()),
        same_first=float((first[0] == first[1]).mean()) if asked.any() else 1.0,
        ndcg=ndcg,
    )
