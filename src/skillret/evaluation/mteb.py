"""MTEB (arXiv:2210.07316): skill retrieval as a task, and our search as its systems.

`mteb.evaluate(model, SkillRetrieval("DATASET", "dev"))` runs whatever MTEB runs on any data set
that `skillret evaluate` reads, and `SkillretSearch("hybrid")` runs on whatever MTEB searches. Both
measure the same: metrics by pytrec_eval over all queries that have a gold skill.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import mteb
import numpy as np
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
from mteb.models.model_meta import ModelMeta
from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
from mteb.types import PromptType
from sentence_transformers import SentenceTransformer

import datasets
from skillret._version import __version__
from skillret.datasets.dataset import Dataset, load_dataset
from skillret.encoders import DEFAULT_MODEL, DOCUMENT_TEMPLATE, Encoder, load_encoder
from skillret.encoders.sentence_transformers import SentenceTransformerEncoder
from skillret.errors import InputError
from skillret.evaluation.systems import open_searcher, rank_queries
from skillret.retrieval.searcher import Searcher
from skillret.skills import document_text
from skillret.types import Mode, Skill

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

__all__ = ["ProfiledEncoder", "SkillRetrieval", "SkillretSearch"]

_HUB = "ThakiCloud/SKILLRET"
_COMPLETE = 1 - 1e-9
_NOTHING = ""  # stands where a system returns nothing: MTEB leaves such queries out of its means


class SkillRetrieval(AbsTaskRetrieval):
    """Retrieve the skills that an agent needs for a request (SkillRet, arXiv:2605.05726).

    A document is `name | description | skill_md`. `completeness_at_k` stands beside the usual
    scores: the share of queries that have all of their skills among the first k. The columns
    `name`, `description` and `skill_md` of the corpus are for systems that look at them apart.

    Args:
        data: What `skillret evaluate` takes, a folder or hub id (`id@revision`), or a loaded data
            set; SkillRet on the hub if None.
        split: Its split; of a loaded data set its own.
        seed: See `AbsTaskRetrieval`.
    """

    data_loaded: bool
    k_values = (1, 3, 5, 10, 15, 20, 50)
    metadata = mteb.TaskMetadata(
        name="SkillRetrieval",
        description="Retrieve the agent skills (SKILL.md files) that a user's request needs, one or"
        " several, from a large public library.",
        reference="https://arxiv.org/abs/2605.05726",
        dataset={"path": _HUB, "revision": "main"},
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
        domains=["Programming", "Written"],
        annotations_creators="LM-generated and reviewed",
        sample_creation="found",
        prompt={
            "query": "Given a skill search query, retrieve relevant skills that match the query"
        },
    )

    def __init__(
        self,
        data: str | os.PathLike[str] | Dataset | None = None,
        split: str | None = None,
        *,
        seed: int = 42,
    ) -> None:
        self._given = data if data is not None else _HUB
        if isinstance(data, Dataset):
            split = data.split
        if data is not None or split is not None:
            path = data.name if isinstance(data, Dataset) else os.fspath(data or _HUB)
            named, _, revision = path.partition("@")
            self.metadata = self.metadata.model_copy(
                update={
                    "dataset": {"path": named, "revision": revision or "main"},
                    "eval_splits": [split or "test"],
                }
            )
        super().__init__(seed=seed)

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        """Read the split, by the reader and the rules of `skillret evaluate`.

        Raises:
            DatasetError: If it cannot be used.
        """
        if self.data_loaded:
            return
        (split,) = self.metadata.eval_splits
        given = self._given
        data = given if isinstance(given, Dataset) else load_dataset(given, split)
        asked = [q for q in data.queries if q.id in data.qrels]
        corpus = {
            "id": [s.id for s in data.skills],
            "text": [document_text(s, DOCUMENT_TEMPLATE) for s in data.skills],
            "name": [s.name for s in data.skills],
            "description": [s.description for s in data.skills],
            "skill_md": [s.body for s in data.skills],
        }
        queries = {"id": [q.id for q in asked], "text": [q.text for q in asked]}
        content = RetrievalSplitData(
            corpus=datasets.Dataset.from_dict(corpus),
            queries=datasets.Dataset.from_dict(queries),
            relevant_docs={q.id: dict(data.qrels[q.id]) for q in asked},
            top_ranked=None,
        )
        self.dataset = {"default": {split: content}}
        self.data_loaded = True

    def unload_data(self) -> None:
        """Free what was read; the task stays one of the same data."""
        own = self.metadata
        super().unload_data()
        self.metadata = own  # MTEB goes back to the class's

    def task_specific_scores(
        self,
        scores: Mapping[str, Mapping[str, float]],
        qrels: Mapping[str, Mapping[str, int]],
        results: Mapping[str, Mapping[str, float]],
        hf_split: str,
        hf_subset: str,
    ) -> dict[str, float]:
        """Completeness at each k (arXiv:2605.05726, section 3)."""
        return {
            f"completeness_at_{k}": sum(
                scores[query][f"recall_{k}"] >= _COMPLETE for query in scores
            )
            / len(qrels)
            for k in self.k_values
        }


class SkillretSearch:
    """Our search as a system of MTEB (its `SearchProtocol`).

    Args:
        mode: `hybrid`, `dense` or `lexical`.
        model: Encoder, or its name or folder; its ranker lies beside its weights.
    """

    def __init__(
        self, mode: Mode = "hybrid", model: str | os.PathLike[str] | Encoder = DEFAULT_MODEL
    ) -> None:
        self.mode: Mode = mode
        self._encoder = load_encoder(DEFAULT_MODEL if mode == "lexical" else model)
        self._ids: list[str] = []
        self._searcher: Searcher | None = None
        name = "bm25" if mode == "lexical" else f"{self._encoder.profile.name}-{mode}"
        kinds = {"lexical": "sparse", "dense": "dense", "hybrid": "hybrid"}
        self.mteb_model_meta = ModelMeta.create_empty(
            {
                "name": f"skillret/{name.replace('/', '__')}",
                "revision": __version__,
                "framework": ["ONNX"],
                "model_type": [kinds[mode]],
            }
        )

    def index(self, corpus: datasets.Dataset, **_: Any) -> None:
        """Encode and index the documents of a task; see `mteb.models.SearchProtocol`."""
        skills = [_skill(row) for row in corpus]
        self._ids = [s.id for s in skills]
        self._searcher = open_searcher(skills, self.mode, self._encoder)

    def search(
        self,
        queries: datasets.Dataset,
        *,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:
        """Scores of the best documents by query; see `mteb.models.SearchProtocol`.

        Equal scores are pulled apart by the least that tells them apart: MTEB would order them by
        name, and this keeps the order in which they were found.

        Raises:
            InputError: If a task hands over what is to be reranked, or nothing was indexed.
        """
        if top_ranked is not None:
            raise InputError("skillret searches a whole corpus; it takes no reranking tasks")
        if self._searcher is None:
            raise InputError("nothing to search: call index first")
        pairs = [(row["id"], row["text"]) for row in queries]
        k = min(top_k, len(self._ids))
        found: dict[str, dict[str, float]] = {}
        for id_, ranking in rank_queries(self._searcher, pairs, k, self.mode):
            ids = [self._ids[key] for key in ranking.keys.tolist()]
            scores = _descending(ranking.scores)
            found[id_] = dict(zip(ids, scores, strict=True)) or {_NOTHING: 0.0}
        return found


class ProfiledEncoder(SentenceTransformerEncoderWrapper):
    """A sentence-transformers model in MTEB, with the prompts and limits `skillret` gives it.

    MTEB alone takes a model's own prompts and encodes at its full length; both are part of what a
    figure means.

    Args:
        model: Folder or hub id.
        device: torch device; chosen by sentence-transformers if None.
    """

    def __init__(self, model: str | os.PathLike[str], device: str | None = None) -> None:
        ours = SentenceTransformerEncoder(model, device=device)
        self.profile = ours.profile
        loaded: SentenceTransformer = ours.model
        loaded.prompts = {
            "query": self.profile.query_prompt,
            "document": self.profile.document_prompt,
        }
        super().__init__(loaded)

    def encode(
        self,
        inputs: DataLoader[Any],
        *,
        prompt_type: PromptType | None = None,
        **kwargs: Any,
    ) -> Any:
        """Encode queries or documents; see `mteb.models.EncoderProtocol`."""
        p = self.profile
        query = prompt_type == PromptType.query
        self.model.max_seq_length = p.max_query_tokens if query else p.max_document_tokens
        return super().encode(inputs, prompt_type=prompt_type, **kwargs)


def _skill(row: Mapping[str, Any]) -> Skill:
    """A document of a corpus; those of other tasks have a title and a text."""
    id_ = str(row["id"])
    if "skill_md" in row:
        return Skill(id_, row["name"], row["description"], row["skill_md"])
    return Skill(id_, str(row.get("title") or ""), "", str(row["text"]))


def _descending(scores: np.ndarray[Any, np.dtype[np.float32]]) -> list[float]:
    """Scores of a ranking, each smaller than the one before; trec_eval reads them as float32."""
    out: list[float] = []
    for score in scores.astype(np.float32):
        below = np.nextafter(np.float32(out[-1]), np.float32(-np.inf)) if out else score
        out.append(float(min(score, below)))
    return out
