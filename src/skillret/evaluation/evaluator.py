"""`evaluate`: score a system on a labelled data set, by the protocol of SkillRet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from skillret.datasets.dataset import Dataset, is_near_miss, load_dataset
from skillret.datasets.judgements import Grades, Judgements, merge_labels
from skillret.encoders import DEFAULT_MODEL, Encoder, load_encoder
from skillret.errors import InputError
from skillret.evaluation.abstention import Abstention, measure_abstention
from skillret.evaluation.costs import Cost, model_bytes, timed
from skillret.evaluation.judged import Judged, check_least, measure_judged
from skillret.evaluation.metrics import DEFAULT_CUTS, mean, measure, metric_names
from skillret.evaluation.reference import BM25S, bm25s_searcher
from skillret.evaluation.runs import Run, check_run, order
from skillret.evaluation.sets import Sets, measure_named, name_skills
from skillret.evaluation.systems import DEPTH, Answers, answer, open_searcher
from skillret.extras import require
from skillret.retrieval.calibration import Calibration
from skillret.retrieval.rerank import Reranker, load_reranker, reranker_name
from skillret.retrieval.searcher import Searcher
from skillret.types import Mode, Progress

__all__ = ["DEFAULT_GROUPS", "Result", "evaluate", "group_queries", "score"]

DEFAULT_GROUPS = ("kind", "k")  # those that a data set lacks are left out
_KNOWN = 0.05  # share of queries that were fitted on from which a figure is no held-out one


@dataclass(frozen=True, slots=True)
class Result:
    """What an evaluation found.

    Attributes:
        dataset: Name of the data set.
        revision: Its revision.
        split: Its split.
        mode: Kind of retrieval, or `run` for a run that was read.
        model: Name of the encoder, or of the run.
        n_queries: Queries that were scored.
        n_skills: Skills in the corpus.
        metrics: Means over all queries.
        groups: Means over the queries of a group (`kind=...`, `k=1`), with its `n_queries`.
        per_query: Every metric of every query.
        run: What was returned.
        abstention: How well scores tell queries that need no skill; None without such queries.
        sets: What the selected sets are worth, in hybrid mode: those that an agent would get.
        notes: What a reader should know.
        judged: By all labels, those judged since among them, and how much was never judged.
        cost: What answering took; None for a run that was read.
        near_misses: As `abstention`, for near misses of single skills, which another may fit.
    """

    dataset: str
    revision: str
    split: str
    mode: str
    model: str
    n_queries: int
    n_skills: int
    metrics: Mapping[str, float]
    groups: Mapping[str, Mapping[str, float]]
    per_query: Mapping[str, Mapping[str, float]] = field(repr=False)
    run: Run = field(repr=False)
    abstention: Abstention | None = None
    sets: Sets | None = None
    notes: Sequence[str] = ()
    judged: Judged | None = None
    cost: Cost | None = None
    near_misses: Abstention | None = None

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON types, without what there is for every query."""
        document: dict[str, Any] = {
            "dataset": self.dataset,
            "revision": self.revision,
            "split": self.split,
            "mode": self.mode,
            "model": self.model,
            "n_queries": self.n_queries,
            "n_skills": self.n_skills,
            "metrics": dict(self.metrics),
            "groups": {name: dict(values) for name, values in self.groups.items()},
        }
        if self.abstention is not None:
            document["abstention"] = self.abstention.to_json()
        if self.near_misses is not None:
            document["near_misses"] = self.near_misses.to_json()
        if self.sets is not None:
            document["sets"] = self.sets.to_json()
        if self.judged is not None:
            document["judged"] = self.judged.to_json()
        if self.cost is not None:
            document["cost"] = self.cost.to_json()
        return document


def evaluate(
    dataset: str | os.PathLike[str] | Dataset,
    *,
    split: str | None = None,
    libraries: Sequence[str | os.PathLike[str]] = (),
    mode: Mode = "hybrid",
    model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL,
    cuts: Sequence[int] = DEFAULT_CUTS,
    group_by: Sequence[str] = DEFAULT_GROUPS,
    lexical: Literal["skillret", "bm25s"] = "skillret",
    calibration: str | os.PathLike[str] | Calibration | None = None,
    reranker: str | os.PathLike[str] | Reranker | None = None,
    judgements: Judgements | None = None,
    also: bool = False,
    least_grade: int = 1,
    allow_missing: bool = False,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
    searched: Progress | None = None,
) -> Result:
    """Search every query of a data set and score what is found.

    Args:
        dataset: Folder, file of queries, hub id (`id@revision`), or a loaded data set.
        split: Its split, unless it is loaded already; without one `test`, or the only split of own
            tests and files of queries.
        libraries: Folders of the skills that a file of queries names.
        mode: `hybrid`, `dense` or `lexical`.
        model: Encoder, or its name or folder.
        cuts: The ks of the metrics.
        group_by: Columns of the queries, or of their gold skills, to report groups by. `k` is
            the number of gold skills.
        lexical: `bm25s` for the reference BM25 of the paper, in lexical mode only.
        calibration: What was fitted for the encoder, or its file; what lies beside its weights if
            None. Used in hybrid mode.
        reranker: Decides the order of the best hits in hybrid mode; see `Retriever`.
        judgements: Grades given since, for `Result.judged`; the metrics stay those of the data
            set's own labels.
        also: Count the skills that the data set says would do as well; see `merge_labels`.
        least_grade: The least grade that counts as right where a metric knows no grades.
        allow_missing: Drop gold labels whose skill is not in the corpus.
        trust_remote_code: Run Python code that a model brings along.
        progress: Called with the documents encoded so far and in all.
        searched: Called with the queries searched so far and in all.

    Raises:
        DatasetError: If the data set cannot be used.
        EncoderError: If the encoder or its calibration cannot be loaded, or it returns NaN.
        InputError: If a cut is below 1, a mode is not reranked, no query and no skill has a
            column to group by, judgements are of other data, or none has the least grade.
        MissingExtraError: If a library that is needed is not installed.
    """
    reference = ("bm25s",) if lexical == "bm25s" else ()
    require("evaluate", "evaluation", ("pytrec_eval", *reference))
    metric_names(cuts)  # refuses impossible cuts before anything is encoded
    if reference and mode != "lexical":
        raise InputError(f"bm25s is a system of its own: it has no mode {mode!r}, only 'lexical'")
    if reranker is not None and mode != "hybrid":
        raise InputError(f"only hybrid mode is reranked, not {mode!r}")
    second = load_reranker(reranker)
    if not isinstance(dataset, Dataset):
        dataset = load_dataset(dataset, split, libraries=libraries, allow_missing=allow_missing)
    group_queries(dataset, group_by)
    labels = merge_labels(dataset, judgements, also=also)
    check_least(labels, least_grade)
    depth = max(DEPTH, *cuts)
    if reference:
        answered = _by_reference(dataset, depth, searched)
    else:
        encoder = load_encoder(
            DEFAULT_MODEL if mode == "lexical" else model, trust_remote_code=trust_remote_code
        )
        searcher = open_searcher(
            dataset.skills,
            mode,
            encoder,
            calibration=calibration,
            reranker=second,
            progress=progress,
        )
        answered = _by_searcher(dataset, searcher, mode, depth, searched)
    abstention, near_misses, sets = _judge_negatives(dataset, answered)
    return score(
        dataset,
        answered.answers.run,
        mode,
        answered.name,
        cuts,
        group_by,
        abstention=abstention,
        near_misses=near_misses,
        sets=sets,
        notes=answered.remarks,
        labels=labels,
        least_grade=least_grade,
        cost=Cost(answered.took, answered.size),
    )


class _Answered(NamedTuple):
    """What a system says to all queries of a data set, those that need nothing included.

    Attributes:
        name: Of the system.
        answers: Of these queries; see `_every`.
        sure_by: What `answers.sure` is.
        judges: Whether that is a probability.
        took: Milliseconds a query.
        size: Bytes of its models; None if they are not known.
        remarks: What a reader should know.
    """

    name: str
    answers: Answers
    sure_by: str
    judges: bool
    took: float
    size: int | None
    remarks: Sequence[str] = ()


def _every(dataset: Dataset) -> tuple[list[tuple[str, str]], list[str]]:
    """Ids and texts of all queries, to be encoded in blocks; the ids of the negatives."""
    texts = [(q.id, q.text) for q in dataset.queries]
    negatives = [(f"\0negative-{n}", q.text) for n, q in enumerate(dataset.negatives)]
    return [*texts, *negatives], [id_ for id_, _ in negatives]


def _by_reference(dataset: Dataset, depth: int, searched: Progress | None) -> _Answered:
    """The reference BM25's."""
    every, _ = _every(dataset)
    search = bm25s_searcher(dataset)
    (run, sure), took = timed(lambda: search(every, depth, searched), len(every))
    return _Answered(BM25S, Answers(run, sure, {}, {}), "largest BM25 score", False, took, 0)


def _by_searcher(
    dataset: Dataset, searcher: Searcher, mode: Mode, depth: int, searched: Progress | None
) -> _Answered:
    """Ours."""
    every, _ = _every(dataset)
    answers, took = timed(
        lambda: answer(
            dataset, searcher, every, mode, depth, searched=searched, select=mode == "hybrid"
        ),
        len(every),
    )
    known, second = searcher.calibration, searcher.reranker
    if mode == "lexical":
        return _Answered("BM25", answers, "largest BM25 score", known is not None, took, 0)
    name = searcher.encoder.profile.name
    sizes = [model_bytes(m) for m in (searcher.encoder, second) if m is not None]
    return _Answered(
        name=name if second is None else f"{name} + {reranker_name(second)}",
        answers=answers,
        sure_by="largest cosine" if known is None else "probability of need",
        judges=known is not None,
        took=took,
        size=None if None in sizes else sum(s for s in sizes if s is not None),
        remarks=[] if known is None else _seen(known, [text for _, text in every]),
    )


def _judge_negatives(
    dataset: Dataset, answered: _Answered
) -> tuple[Abstention | None, Abstention | None, Sets | None]:
    """How well needless queries and near misses are told, and sets; both are taken out."""
    answers = answered.answers
    run, sure, selected = answers.run, answers.sure, answers.selected
    named = {}
    if selected and answered.judges:  # else no score is a probability
        named = name_skills(selected, answers.likely, sure)
    ids = dict(zip(_every(dataset)[1], dataset.negatives, strict=True))
    near = [id_ for id_, query in ids.items() if is_near_miss(query)]
    needless = [id_ for id_, query in ids.items() if not is_near_miss(query)]
    for id_ in ids:
        del run[id_]
    largest = {id_: sure.pop(id_) for id_ in ids}
    told = [
        measure_abstention(answered.sure_by, sure.values(), [largest[id_] for id_ in some])
        for some in (needless, near)
    ]
    sets = None
    if selected:
        gold = {q.id: dataset.qrels[q.id] for q in dataset.queries if q.id in dataset.qrels}
        sets = Sets.of(
            selected,
            order(run),
            gold,
            [selected[id_] for id_ in needless],
            measure_named(named, gold, needless),
            [selected[id_] for id_ in near],
        )
    return told[0], told[1], sets


def _seen(calibration: Calibration, texts: Sequence[str]) -> list[str]:
    """A note if the queries are those that the calibration was fitted on."""
    share = calibration.seen(texts)
    if share <= _KNOWN:
        return []
    return [
        f"{100 * share:.0f} % of these queries were used to fit the calibration"
        f" {calibration.id}: not a held-out figure"
    ]


def score(
    dataset: Dataset,
    run: Run,
    mode: str,
    model: str,
    cuts: Sequence[int] = DEFAULT_CUTS,
    group_by: Sequence[str] = DEFAULT_GROUPS,
    abstention: Abstention | None = None,
    sets: Sets | None = None,
    notes: Sequence[str] = (),
    labels: Grades | None = None,
    least_grade: int = 1,
    cost: Cost | None = None,
    near_misses: Abstention | None = None,
) -> Result:
    """Score a run, by whichever system it was made.

    Args:
        dataset: The data set.
        run: What was returned for its queries.
        mode: Kind of retrieval, or `run`.
        model: Name of the encoder, or of the run.
        cuts: The ks of the metrics.
        group_by: See `evaluate`.
        abstention: See `Result`.
        sets: See `Result`.
        notes: What a reader should know, beside what the data set and the run tell.
        labels: All labels, for `Result.judged`; the data set's own if None.
        least_grade: See `evaluate`.
        cost: See `Result`.
        near_misses: See `Result`.

    Raises:
        InputError: If the run is one of another data set, a cut is below 1, or no label has the
            least grade.
    """
    remarks = check_run(run, dataset.qrels, (s.id for s in dataset.skills), model)
    if mode == "run":
        depth = max(map(len, run.values()))
        if depth < min(max(cuts), len(dataset.skills)):
            remarks.append(f"{model} ranks at most {depth} skills; metrics beyond see no more")
    per_query = measure(order(run), dataset.qrels, cuts)
    labels = labels or merge_labels(dataset)
    groups = {
        name: {"n_queries": float(len(ids)), **mean({id_: per_query[id_] for id_ in ids})}
        for name, ids in group_queries(dataset, group_by).items()
    }
    return Result(
        dataset=dataset.name,
        revision=dataset.revision,
        split=dataset.split,
        mode=mode,
        model=model,
        n_queries=len(per_query),
        n_skills=len(dataset.skills),
        metrics=mean(per_query),
        groups=groups,
        per_query=per_query,
        run=run,
        abstention=abstention,
        near_misses=near_misses,
        sets=sets,
        notes=[*dataset.notes, *notes, *remarks, *labels.notes],
        judged=measure_judged(order(run), labels, per_query, cuts, least_grade),
        cost=cost,
    )


def group_queries(dataset: Dataset, columns: Sequence[str]) -> dict[str, list[str]]:
    """Ids of scored queries by `column=value`, in order of name; a query may be in several.

    Raises:
        InputError: If neither queries nor skills have a column, other than `kind` and `k`.
    """
    skills = {s.id: s for s in dataset.skills}
    groups: dict[str, set[str]] = {}
    for column in columns:
        for query in dataset.queries:
            gold = dataset.qrels.get(query.id)
            if gold is None:
                continue
            if column == "k":
                found: list[Any] = [len(gold)]
            elif query.extra.get(column) is not None:
                found = [query.extra[column]]
            else:
                found = [skills[id_].extra.get(column) for id_ in gold]
            for value in found:
                for one in value if isinstance(value, (list, tuple)) else [value]:
                    if one is not None:
                        groups.setdefault(f"{column}={one}", set()).add(query.id)
        if tuple(columns) != DEFAULT_GROUPS and not any(g.startswith(f"{column}=") for g in groups):
            known = {"k"} | {c for query in dataset.queries for c in query.extra}
            known |= {c for skill in dataset.skills for c in skill.extra}
            raise InputError(
                f"neither queries nor skills of {dataset.name} have a column {column!r};"
                f" they have: {', '.join(sorted(known))}"
            )
    return {name: sorted(groups[name]) for name in sorted(groups)}
