"""Does an exported model still do what the original does? Cosine, neighbours, and NDCG on dev."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from skillret.arrays import Float32, top_rows
from skillret.datasets.dataset import load_dataset
from skillret.encoders import Encoder
from skillret.errors import TrainingError
from skillret.evaluation import significance
from skillret.evaluation.significance import Difference
from skillret.files import parse_json
from skillret.skills import document_text
from skillret.training.dev_split import Dev, read_dev

__all__ = [
    "MAX_LOSS",
    "Agreement",
    "compare",
    "find_texts",
    "ndcg_lines",
    "refuse_damage",
    "refuse_loss",
    "refuse_ndcg",
    "some_queries",
]

MAX_LOSS = 0.5  # points of NDCG@10, of 100
_LEAST_COSINE = 0.9  # mean of a text's two vectors; less is damage, no rounding
_NEIGHBOURS = 10
_OWN = Path(__file__).with_name("texts.json")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How close two encoders are on some texts.

    Attributes:
        texts: How many were compared.
        cosine: Mean cosine of a text's two vectors.
        worst: The smallest of them.
        overlap: Mean share of the ten nearest documents of a query that both find.
        ndcg: NDCG@10 of the original and of the export, 0 to 1, and their difference with its
            paired bootstrap interval; None without labels.
    """

    texts: int
    cosine: float
    worst: float
    overlap: float
    ndcg: Difference | None

    def lines(self) -> list[str]:
        """For people."""
        out = [
            f"cosine to the original: mean {self.cosine:.4f}, worst {self.worst:.4f}"
            f" ({self.texts:,} texts)",
            f"top-{_NEIGHBOURS} overlap with the original: {self.overlap:.1%}",
        ]
        return [*out, *ndcg_lines(self.ndcg)]


def ndcg_lines(found: Difference | None) -> list[str]:
    """What people are told of NDCG@10 before and after an export."""
    if found is None:
        return []
    d, i = found, found.interval
    out = [
        f"NDCG@10 on dev: original {d.a:.4f}, exported {d.b:.4f} ({100 * i.mean:+.2f}"
        f" points, 95 % interval {100 * i.low:+.2f} to {100 * i.high:+.2f} by"
        f" {d.wins + d.losses + d.ties} queries)"
    ]
    if -100 * i.mean > MAX_LOSS and i.high >= 0:
        out.append("so few queries cannot tell this loss from chance; --dataset checks on more")
    return out


def find_texts(
    model_dir: Path, dataset: str | None, split: str | None, template: str, limit: int
) -> tuple[Dev, bool]:
    """Texts to compare on, and whether their labels mean something.

    Args:
        model_dir: A model in the folder of its training run brings that run's dev split.
        dataset: Takes precedence; as in `load_dataset`.
        split: Of `dataset`; without one `dev`, or the only split of own tests.
        template: Document template.
        limit: Take this many queries at most; 0 for all.

    Raises:
        DatasetError: If the data set cannot be read.
    """
    stored = model_dir.resolve().parent / "data" / "dev.json"
    if dataset is not None:
        found = load_dataset(dataset, split, usual="dev")
        chosen = [q for q in found.queries if q.id in found.qrels]
        dev = Dev(
            skill_ids=tuple(s.id for s in found.skills),
            documents=tuple(document_text(s, template) for s in found.skills),
            query_ids=tuple(q.id for q in chosen),
            queries=tuple(q.text for q in chosen),
            qrels=found.qrels,
            origin=f"split {found.split} of {Path(dataset).name}",
        )
    elif stored.is_file():
        dev = read_dev(stored)
    else:
        texts = parse_json(_OWN.read_text(encoding="utf-8"))
        documents, queries = tuple(texts["documents"]), tuple(texts["queries"])
        return (
            Dev(
                skill_ids=tuple(map(str, range(len(documents)))),
                documents=documents,
                query_ids=tuple(f"q{i}" for i in range(len(queries))),
                queries=queries,
                qrels={},
                origin="a few built-in texts",
            ),
            False,
        )
    return dev.only(some_queries(dev, limit)), True


def some_queries(dev: Dev, limit: int) -> list[int]:
    """Rows of at most `limit` queries, drawn at random; all for 0."""
    count = len(dev.query_ids)
    if not limit or count <= limit:
        return list(range(count))
    return sorted(np.random.default_rng(0).permutation(count)[:limit].tolist())


def compare(
    original: Encoder,
    exported: Encoder,
    dev: Dev,
    labelled: bool,
    say: Callable[[str], None] = lambda line: None,
) -> Agreement:
    """Encode the same texts with both.

    Args:
        original: The model before export.
        exported: The model after it.
        dev: Texts, and labels if `labelled`.
        labelled: Whether to compute NDCG@10.
        say: Takes a line for people.
    """
    say(
        f"comparing on {dev.origin}: {len(dev.queries):,} queries, {len(dev.documents):,} documents"
    )
    queries = [e.encode_queries(dev.queries) for e in (original, exported)]
    documents = [e.encode_documents(dev.documents) for e in (original, exported)]
    cosines = np.concatenate(
        [(queries[0] * queries[1]).sum(axis=1), (documents[0] * documents[1]).sum(axis=1)]
    )
    ndcg = None
    if labelled:
        from skillret.training.dev_evaluator import measure_dense_queries

        a, b = (measure_dense_queries(q, d, dev) for q, d in zip(queries, documents, strict=True))
        (ndcg,) = significance.compare(a, b, ["ndcg@10"])
    return Agreement(
        texts=len(cosines),
        cosine=float(cosines.mean()),
        worst=float(cosines.min()),
        overlap=_overlap(queries, documents),
        ndcg=ndcg,
    )


def refuse_loss(agreement: Agreement) -> None:
    """Refuse an export that costs too much.

    Few labelled queries cannot tell a loss from chance, so the vectors themselves count as well.

    Raises:
        TrainingError: If the vectors are no longer those of the original, or NDCG@10 falls by more
            than `MAX_LOSS` points, and by more than chance.
    """
    if agreement.cosine < _LEAST_COSINE:
        refuse_damage("vectors", "mean cosine", agreement.cosine, _LEAST_COSINE)
    refuse_ndcg(agreement.ndcg)


def refuse_damage(what: str, measured: str, value: float, least: float) -> NoReturn:
    """Refuse an export that no longer does what the original does.

    Raises:
        TrainingError: Always.
    """
    raise TrainingError(
        f"the exported {what} are not the original's: their {measured} is"
        f" {value:.2f}, less than {least}; nothing was written. Use"
        " --quantize none, or --allow-loss if that is acceptable"
    )


def refuse_ndcg(found: Difference | None) -> None:
    """Refuse an export whose NDCG@10 falls by more than `MAX_LOSS` points, and more than chance.

    Raises:
        TrainingError: If it does.
    """
    if found is None:
        return
    change = found.interval
    if -100 * change.mean > MAX_LOSS and change.high < 0:
        raise TrainingError(
            f"the export costs {-100 * change.mean:.2f} points of NDCG@10 (95 % interval"
            f" {-100 * change.high:.2f} to {-100 * change.low:.2f}), more than {MAX_LOSS}; nothing"
            " was written. Use --quantize none, or --allow-loss if that is acceptable"
        )


def _overlap(queries: list[Float32], documents: list[Float32]) -> float:
    shares = []
    k = min(_NEIGHBOURS, len(documents[0]))
    for a, b in zip(*queries, strict=True):
        rows = [set(top_rows(v @ d.T, k)) for v, d in zip((a, b), documents, strict=True)]
        shares.append(len(rows[0] & rows[1]) / k)
    return float(np.mean(shares))
