"""Evaluation on dev while training; encoding is shared by the ranks of a distributed run."""

from __future__ import annotations

from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from skillret.arrays import Float32, top_rows
from skillret.evaluation.metrics import mean, measure
from skillret.training.dev_split import Dev
from skillret.training.rows import CHARACTERS_PER_TOKEN

__all__ = ["DEPTH", "DevEvaluator", "measure_dense", "measure_dense_queries"]

DEPTH = 20  # of a run, as SkillRet evaluates embedding models (arXiv:2605.05726, section 5.1)


class DevEvaluator(SentenceEvaluator):  # type: ignore[misc]
    """Retrieval metrics of a model on the dev split, by exact search.

    Args:
        dev: Documents, queries and labels.
        query_prompt: Put before every query.
        document_prompt: Put before every document.
        batch_size: Texts of one forward pass.
        metric: The one that chooses the checkpoint, such as `ndcg@10`.

    Example:
        `DevEvaluator(dev, "", "", 32, "ndcg@10")(model)["ndcg@10"]`
    """

    def __init__(
        self, dev: Dev, query_prompt: str, document_prompt: str, batch_size: int, metric: str
    ) -> None:
        super().__init__()
        self._dev = dev
        self._prompts = (query_prompt, document_prompt)
        self._batch_size = batch_size
        self.primary_metric = metric

    def __call__(
        self,
        model: SentenceTransformer,
        output_path: str | None = None,
        epoch: float = -1,
        steps: int = -1,
    ) -> dict[str, float]:
        """All metrics, by names such as `ndcg@10`."""
        training = model.training
        model.eval()
        try:
            queries = self._encode(model, self._dev.queries, self._prompts[0])
            documents = self._encode(model, self._dev.documents, self._prompts[1])
        finally:
            model.train(training)
        return measure_dense(queries, documents, self._dev)

    def _encode(self, model: Any, texts: tuple[str, ...], prompt: str) -> Float32:
        limit = (model.max_seq_length or max(map(len, texts))) * CHARACTERS_PER_TOKEN
        # Under `distributed_evaluation` of sentence-transformers, `encode` shards over the ranks.
        return np.asarray(
            model.encode(
                [text[:limit] for text in texts],
                prompt=prompt,
                batch_size=self._batch_size,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            ),
            dtype=np.float32,
        )


def measure_dense(queries: Float32, documents: Float32, dev: Dev) -> dict[str, float]:
    """Means of `measure_dense_queries`."""
    return mean(measure_dense_queries(queries, documents, dev))


def measure_dense_queries(
    queries: Float32, documents: Float32, dev: Dev
) -> dict[str, dict[str, float]]:
    """Metrics of the ranking by inner product, by query.

    Args:
        queries: `(q, d)`, rows of unit length, in the order of `dev.query_ids`.
        documents: `(n, d)`, rows of unit length, in the order of `dev.skill_ids`.
        dev: Ids and labels.
    """
    run: dict[str, list[str]] = {}
    for start in range(0, len(queries), 256):
        scores = queries[start : start + 256] @ documents.T
        for query_id, line in zip(dev.query_ids[start:], scores, strict=False):
            run[query_id] = [dev.skill_ids[i] for i in top_rows(line, DEPTH)]
    return measure(run, dev.qrels)
