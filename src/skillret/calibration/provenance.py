"""Which queries a calibration was fitted on: figures on these are no held-out ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from skillret.datasets.dataset import Dataset
from skillret.errors import DatasetError
from skillret.files import expand
from skillret.retrieval.calibration import SAMPLE, Calibration, FittedOn, QueryDigests

__all__ = ["check_held_out", "fitted_on", "judging_texts", "merge", "only", "without"]

_RANKER = ("ranker", "helped", "terms")  # what makes the outputs of a ranker in-sample ones
_HELPED = ("helped", "terms")  # many queries, which judged nothing: a sample of them is kept
_MOST_SEEN = 0.05  # share of the queries: a greeting or a name may well be in two data sets


def judging_texts(dataset: Dataset) -> list[str]:
    """Texts of the labelled queries of a data set, and of those that need no skill."""
    labelled = [q.text for q in dataset.queries if q.id in dataset.qrels]
    return [*labelled, *[q.text for q in dataset.negatives]]


def check_held_out(stored: Calibration, dataset: Dataset) -> None:
    """Make sure that a data set can judge a ranker that is kept as it is.

    Raises:
        DatasetError: If the ranker was fitted on more than 5 % of its queries.
    """
    texts = judging_texts(dataset)
    share = stored.seen(texts, *_RANKER)
    if share <= _MOST_SEEN:
        return
    sets = ", ".join(
        f"{f.dataset} {f.revision} {f.split}"
        for f in stored.fitted_on
        if {*_RANKER} & {*f.purpose} and any(text in f.queries for text in texts)
    )
    raise DatasetError(
        f"{share:.0%} of the queries of {dataset.name}, split {dataset.split}, are ones that the"
        f" stored ranker was fitted on ({sets}): nothing held out can be measured on them, and"
        " probabilities fitted to them would be too sure; name another split with --split, or fit a"
        " ranker of its own with --fit-ranker"
    )


def fitted_on(dataset: Dataset, texts: Sequence[str], *purpose: str) -> FittedOn:
    """The entry for some queries of a data set."""
    digests = QueryDigests.of(texts, SAMPLE if {*purpose} <= {*_HELPED} else 1)
    return FittedOn(_name(dataset), dataset.revision, dataset.split, len(texts), purpose, digests)


def only(entries: Iterable[FittedOn], *purpose: str) -> list[FittedOn]:
    """What is left of entries if nothing but these purposes counts any more."""
    kept = (f._replace(purpose=tuple(p for p in f.purpose if p in purpose)) for f in entries)
    return [f for f in kept if f.purpose]


def without(entries: Iterable[FittedOn], *purpose: str) -> list[FittedOn]:
    """What is left of entries if these purposes were served anew."""
    kept = (f._replace(purpose=tuple(p for p in f.purpose if p not in purpose)) for f in entries)
    return [f for f in kept if f.purpose]


def merge(old: Iterable[FittedOn], new: FittedOn) -> tuple[FittedOn, ...]:
    """Old entries and a new one; those that say nothing beside it are left out."""
    kept = (
        f for f in old if not ({*f.purpose} <= {*new.purpose} and f.queries.within(new.queries))
    )
    return (*kept, new)


def _name(dataset: Dataset) -> str:
    """The name of a data set without the place where it lies on somebody's machine."""
    folder = expand(dataset.name)
    return folder.resolve().name if folder.is_dir() else dataset.name.partition("@")[0]
