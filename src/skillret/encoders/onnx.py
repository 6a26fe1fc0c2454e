"""Encoders stored as ONNX, run by onnxruntime and tokenizers: the default, and exported ones.

A model folder holds `model.onnx` (inputs `input_ids` and `attention_mask`, int64 `(n, length)`;
output `embedding`, float32 `(n, dim)`, pooled and of unit length, and `tokens`, float32
`(n, length, dim)`, the last layer) with its weights in `model.onnx.data`, `tokenizer.json` and
`profile.json`; for late interaction also `token_projection.npz` (see `TokenProjection`). Where
queries have a reader of their own for that, it is `query_tokens.onnx` (the same inputs and
outputs, and besides `late_tokens`, float32 `(n, length, token_dim)`, rows of unit length, and
`weights`, float32 `(n, length)`, of at least 0) with what differs from the encoder's weights in
`query_tokens.onnx.data`: one pass gives what both make of a query, and what they have in common is
computed once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skillret.arrays import Float32, holds
from skillret.encoders.encoder import Documents, Tokens, check_texts, check_vectors
from skillret.encoders.per_process import PerProcess
from skillret.encoders.profile import Profile
from skillret.encoders.token_projection import TokenProjection
from skillret.encoders.tokenizer import load_tokenizer
from skillret.encoders.weights import MODEL, check_weights
from skillret.errors import EncoderError

if TYPE_CHECKING:
    import onnxruntime as ort
    from tokenizers import Tokenizer

__all__ = ["QUERY_TOKENS", "OnnxEncoder", "forward", "load_session"]

QUERY_TOKENS = "query_tokens.onnx"
_OUTPUTS = ("embedding", "tokens")
_BRIEF = 16  # passes over queries after which packing the weights would have paid
_LATE_TOKENS = 128  # of a longer query only the first are read for late interaction
_TINY = np.float32(1e-6)

# A token of real text is shorter than this on average, so cutting the characters first loses
# no token and keeps a text of 100,000 characters from being tokenized whole.
_CHARACTERS_PER_TOKEN = 16


class OnnxEncoder:
    """An encoder from a folder with `model.onnx`, `tokenizer.json` and `profile.json`.

    The profile is read at once, the weights when something is first encoded: a search in
    lexical mode or an update of nothing never loads them. They are checked against the hash in
    the profile before. Several threads may encode at once, without waiting for each other.

    Args:
        folder: The model folder.
        threads: Threads of a pass over documents; 0 lets onnxruntime take the physical cores.

    Raises:
        EncoderError: If a file is missing; on first use, if one cannot be loaded or the weights
            are not those of the profile.
    """

    def __init__(self, folder: str | os.PathLike[str], threads: int = 0) -> None:
        self.folder = Path(folder)
        self.profile = Profile.load(self.folder / "profile.json")
        if not self.profile.dim:
            raise EncoderError(f"the profile in {folder} does not say the vectors' dim")
        for name in ("model.onnx", "tokenizer.json"):
            if not (self.folder / name).is_file():
                raise EncoderError(f"the model folder {folder} holds no {name}")
        # One for each limit, since a tokenizer holds its limit and threads may have different ones.
        self._tokenizers: dict[int, PerProcess[Tokenizer]] = {}
        # Nothing here holds the encoder itself: it should go with its last user, and free memory.
        checked = PerProcess(partial(check_weights, self.folder, self.profile.weights))
        # One thread: waking a second one costs more than it saves on a single short text, and
        # the other cores are free for BM25 and for the user.
        self._query_session = _QuerySession(partial(load_session, self.folder, 1, checked))
        self._document_session = PerProcess(partial(load_session, self.folder, threads, checked))
        p = self.profile
        shape = (p.dim, p.token_dim)
        self._projection = PerProcess(
            partial(TokenProjection.load, self.folder, p.token_projection, shape)
        )
        self._reader = _QuerySession(partial(_load_reader, self.folder, p.query_tokens, checked))

    def _tokenizer(self, max_tokens: int) -> Tokenizer:
        made = self._tokenizers.get(max_tokens)
        if made is None:
            new = PerProcess(partial(_load_tokenizer, self.folder, max_tokens))
            made = self._tokenizers.setdefault(max_tokens, new)  # atomic
        return made()

    def encode_queries(self, texts: Sequence[str]) -> Float32:
        """Encode queries; see `Encoder.encode_queries`."""
        p = self.profile
        tokens = self.tokenize(texts, p.query_prompt, p.max_query_tokens)
        return self._encode(self._query_session(), tokens)

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Read queries with their tokens; see `TokenEncoder.encode_tokens`."""
        texts = check_texts(texts)
        p = self.profile
        projection = self._projection() if p.token_dim else None
        tokenizer = self._tokenizer(p.max_query_tokens)
        read = []
        for text in self._clean(texts, p.query_prompt, p.max_query_tokens):
            encoding = self._cut(tokenizer.encode, text)
            pooled, vectors, late = self._read(encoding.ids, projection)
            spans = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
            spans = np.maximum(spans - len(p.query_prompt), 0)
            read.append(Tokens(check_vectors(pooled[None], p.name)[0], vectors, spans, late))
        return read

    def _read(
        self, ids: Sequence[int], projection: TokenProjection | None
    ) -> tuple[Float32, Float32, Float32 | None]:
        """A query's vector, states of its tokens, and their vectors for late interaction."""
        if projection is not None and self.profile.query_tokens:
            first = ids[:_LATE_TOKENS]
            pooled, states, *late = self._run(
                self._reader(), first, (*_OUTPUTS, "late_tokens", "weights")
            )
            if len(ids) > len(first):
                pooled, states = self._run(self._query_session(), ids, _OUTPUTS)
            return pooled, states, self._weighed(first, late, projection)
        session = self._query_session()
        self._check_tokens(session)
        pooled, states = self._run(session, ids, _OUTPUTS)
        return pooled, states, None if projection is None else projection.query(ids, states)

    def _weighed(
        self, ids: Sequence[int], made: Sequence[Float32], projection: TokenProjection
    ) -> Float32:
        """Vectors of a query's tokens for late interaction, `(q, k)`; see `Tokens.late`."""
        if [a.shape for a in made] != [(len(ids), self.profile.token_dim), (len(ids),)]:
            raise EncoderError(
                f"the graph in {self.folder / QUERY_TOKENS} makes tokens of shape {made[0].shape}"
                f" and weights of shape {made[1].shape}"
            )
        said = ~holds(np.array(ids, dtype=np.int64), projection.silent)
        vectors, weights = made[0][said], made[1][said]
        shares = weights / max(weights.mean(), _TINY) if len(weights) else weights
        return check_vectors(vectors * shares[:, None], self.profile.name)

    def _check_tokens(self, session: ort.InferenceSession) -> None:
        if "tokens" not in {output.name for output in session.get_outputs()}:
            raise EncoderError(
                f"the model in {self.folder} shows no tokens: an earlier version exported it;"
                " export it anew with skillret export"
            )

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Float32:
        """Encode documents; see `Encoder.encode_documents`."""
        p = self.profile
        tokens = self.tokenize(texts, p.document_prompt, p.max_document_tokens)
        return self._encode(self._document_session(), tokens, progress)

    def encode_document_tokens(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Documents:
        """Read documents with their tokens; see `LateEncoder.encode_document_tokens`."""
        p = self.profile
        if not p.token_dim:
            raise EncoderError(f"the profile in {self.folder} has no token_dim")
        listed = self.tokenize(texts, p.document_prompt, p.max_document_tokens)
        session, projection = self._document_session(), self._projection()
        self._check_tokens(session)
        vectors, tokens = np.zeros((len(listed), p.dim), dtype=np.float32), []
        for row, ids in enumerate(listed):
            vectors[row], states = self._run(session, ids, _OUTPUTS)
            tokens.append(projection.document(ids, states))
            if progress is not None:
                progress(1)
        return Documents(check_vectors(vectors, p.name), tokens)

    def tokenize(self, texts: Sequence[str], prompt: str, max_tokens: int) -> list[list[int]]:
        """Token ids of each text with its prompt, cut to `max_tokens`, special tokens included."""
        clean = self._clean(check_texts(texts), prompt, max_tokens)
        tokenizer = self._tokenizer(max_tokens)
        if len(clean) == 1:
            return [self._cut(tokenizer.encode, clean[0]).ids]
        return [e.ids for e in self._cut(tokenizer.encode_batch_fast, clean)]

    def _cut(self, encode: Callable[[Any], Any], given: str | list[str]) -> Any:
        """What a tokenizer makes of its input."""
        try:
            return encode(given)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as e:  # bare exceptions, and panics
            raise EncoderError(f"the tokenizer in {self.folder} fails: {e!s:.200}") from None

    def _clean(self, texts: Sequence[str], prompt: str, max_tokens: int) -> list[str]:
        limit = max_tokens * _CHARACTERS_PER_TOKEN
        # A lone surrogate (from a terminal or a file name) is no Unicode text.
        return [prompt + t[:limit].encode("utf-8", "replace").decode("utf-8") for t in texts]

    def _forward(
        self, session: ort.InferenceSession, ids: Sequence[int], outputs: Sequence[str]
    ) -> list[Float32]:
        try:
            return forward(session, ids, outputs)
        except Exception as e:  # the library's exceptions share no base
            reason = " ".join(str(e).split())
            raise EncoderError(
                f"the model in {self.folder} fails on a text of {len(ids)} tokens: {reason:.200}"
            ) from None

    def _run(
        self, session: ort.InferenceSession, ids: Sequence[int], outputs: Sequence[str]
    ) -> list[Float32]:
        made = self._forward(session, ids, outputs)
        if made[0].shape != (self.profile.dim,):
            raise EncoderError(
                f"the model in {self.folder} makes vectors of shape {made[0].shape}, its profile"
                f" says {self.profile.dim} values"
            )
        return made

    def _encode(
        self,
        session: ort.InferenceSession,
        tokens: Sequence[Sequence[int]],
        progress: Callable[[int], None] | None = None,
    ) -> Float32:
        """Vectors of token ids."""
        out = np.zeros((len(tokens), self.profile.dim), dtype=np.float32)
        for row, ids in enumerate(tokens):
            (out[row],) = self._run(session, ids, ("embedding",))
            if progress is not None:
                progress(1)
        return check_vectors(out, self.profile.name)


class _QuerySession:
    """A graph that reads queries; its weights are packed once it is clear that packing pays.

    That makes a pass a quarter faster, with the same results, and loading three times as long. Most
    processes that search make one or two passes.

    Args:
        load: Takes `packed`.
    """

    def __init__(self, load: Callable[..., ort.InferenceSession]) -> None:
        self._brief = PerProcess(partial(load, packed=False))
        self._packed = PerProcess(partial(load, packed=True))
        self._passes = 0

    def __call__(self) -> ort.InferenceSession:
        self._passes += 1  # two threads may count one
        return self._brief() if self._passes <= _BRIEF else self._packed()


def _load_tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    tokenizer = load_tokenizer(folder)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _load_reader(
    folder: Path, weights: str, checked: Callable[[], str], *, packed: bool
) -> ort.InferenceSession:
    """What reads queries for late interaction as well; it shares weights with the encoder."""
    checked()
    own = partial(check_weights, folder, weights, QUERY_TOKENS)
    return load_session(folder, 1, own, QUERY_TOKENS, packed=packed)


def load_session(
    folder: Path,
    threads: int,
    checked: Callable[[], str],
    graph: str = MODEL,
    *,
    packed: bool = True,
) -> ort.InferenceSession:
    """The graph of a model folder, ready to run.

    Args:
        folder: The model folder.
        threads: Of one pass.
        checked: Raises where the weights are not those that the profile names.
        graph: Name of its file.
        packed: Lay out the weights as its products read them, which takes time once.

    Raises:
        EncoderError: If the graph cannot be loaded.
    """
    checked()
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what it logs holds names of the model's, with any escapes
    # The stored graph is optimized already; doing it again costs every process 30 ms.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Threads that spin for work burn a laptop's battery, and stall on a busy machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_prepacking", "0" if packed else "1")
    try:
        return ort.InferenceSession(
            str(folder / graph), options, providers=["CPUExecutionProvider"]
        )
    except Exception as e:  # the library's exceptions share no base
        reason = " ".join(str(e).split())
        raise EncoderError(f"cannot load the model in {folder}: {reason:.200}") from None


def forward(
    session: ort.InferenceSession, ids: Sequence[int], outputs: Sequence[str] = ("embedding",)
) -> list[Float32]:
    """One pass over the token ids of one text; what is returned is that of this text.

    One at a time: int8 scales activations by the whole batch, and a text's vector must not depend
    on what is encoded beside it. On a CPU a batch is no faster either, and pays for padding.
    """
    input_ids = np.array([ids], dtype=np.int64)
    inputs = {"input_ids": input_ids, "attention_mask": np.ones_like(input_ids)}
    return [np.asarray(array[0], np.float32) for array in session.run(list(outputs), inputs)]
