"""Tokens of a query and a document together, the same in training, by torch and by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skillret.errors import EncoderError, InputError
from skillret.retrieval.rerankers.profile import RerankerProfile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Pair", "PairTokens", "pad"]

# The prompt of Qwen3-Reranker (arXiv:2506.05176, section 2; its model card): what stands before
# instruction, query and document, and what makes the next token the answer.
_BEFORE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and"
    ' the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n"
)
_ASKED = "<Instruct>: {}\n<Query>: {}\n<Document>: {}"
_AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
_CHARACTERS_PER_TOKEN = 16  # of real text there are fewer, so what is cut first loses no token


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids of one pair, and which of its two texts each belongs to (0 or 1)."""

    ids: list[int]
    types: list[int]


class PairTokens:
    """Makes tokens of pairs as a profile says.

    An encoder reads `[CLS] query [SEP] document [SEP]`, or what its tokenizer makes of two texts;
    the longer text is cut first. A decoder reads the prompt of Qwen3-Reranker; its end is cut, so
    a document before a query. A special token that stands in a text is read as text: a skill must
    not end the prompt and answer for itself.

    Args:
        tokenizer: Of the model; it is copied.
        profile: Its kind, instruction and length.

    Raises:
        InputError: If the length leaves no room for a text.
        EncoderError: If a decoder's tokenizer has no token "yes" or "no".
    """

    def __init__(self, tokenizer: Tokenizer, profile: RerankerProfile) -> None:
        own: Tokenizer = type(tokenizer).from_str(tokenizer.to_str())
        own.no_padding()
        own.no_truncation()
        self.left = profile.kind == "decoder"
        self.answers: tuple[int, int] | None = None
        self._instruction = profile.instruction
        self._limit = profile.max_tokens * _CHARACTERS_PER_TOKEN
        self._before: list[int] = []
        self._after: list[int] = []
        if self.left:
            self._before, self._after = (
                own.encode(text, add_special_tokens=False).ids for text in (_BEFORE, _AFTER)
            )
            yes, no = own.token_to_id("yes"), own.token_to_id("no")
            if yes is None or no is None:
                raise EncoderError(
                    f"the tokenizer of {profile.name} has no token for 'yes' or for 'no', which a"
                    " decoder answers with"
                )
            self.answers = yes, no
        around = len(self._before) + len(self._after)
        around = around or own.num_special_tokens_to_add(is_pair=True)
        if profile.max_tokens < around + 2:
            raise InputError(
                f"{profile.max_tokens} tokens leave no room for a query and a document: the prompt"
                f" of {profile.name} alone takes {around}"
            )
        own.encode_special_tokens = True
        room = profile.max_tokens - around if self.left else profile.max_tokens
        own.enable_truncation(room, strategy="longest_first")
        self._tokenizer = own

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[Pair]:
        """Tokens of each query and document.

        Raises:
            EncoderError: If the tokenizer fails.
        """
        clean = [(self._clean(query), self._clean(document)) for query, document in pairs]
        texts: list[Any] = list(clean)
        if self.left:
            texts = [_ASKED.format(self._instruction, q, d) for q, d in clean]
        try:
            found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=not self.left)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as e:  # bare exceptions, and panics
            raise EncoderError(f"the reranker's tokenizer fails: {e!s:.200}") from None
        if not self.left:
            return [Pair(e.ids, e.type_ids) for e in found]
        whole = [[*self._before, *e.ids, *self._after] for e in found]
        return [Pair(ids, [0] * len(ids)) for ids in whole]

    def _clean(self, text: str) -> str:
        # A lone surrogate (from a terminal or a file name) is no Unicode text.
        return text[: self._limit].encode("utf-8", "replace").decode("utf-8")


def pad(pairs: Sequence[Pair], *, left: bool, types: bool) -> dict[str, NDArray[np.int64]]:
    """Pairs as one batch of int64 arrays `(n, longest)`.

    Args:
        pairs: At least one.
        left: Pad before the text, so that the last token of all is the last one.
        types: With `token_type_ids`, for models that take them.
    """
    shape = len(pairs), max(len(p.ids) for p in pairs)
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    out = {name: np.zeros(shape, dtype=np.int64) for name in names}
    for row, pair in enumerate(pairs):
        place = slice(-len(pair.ids), None) if left else slice(len(pair.ids))
        out["input_ids"][row, place] = pair.ids
        out["attention_mask"][row, place] = 1
        if types:
            out["token_type_ids"][row, place] = pair.types
    return out
