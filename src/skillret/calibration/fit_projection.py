"""Fitting the projection that makes small token vectors of an encoder's last layer.

Principal components of the states of all tokens, less their mean: the directions in which tokens
differ. Each is divided by the fourth root of its variance, half way to whitening: what the tokens
of a text have in common would otherwise hide what each says (Mu and Viswanath 2018,
arXiv:1702.01417, take the largest directions away for that). Nothing here is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skillret.encoders import TokenEncoder
from skillret.encoders.token_projection import TokenProjection
from skillret.lexical.analyzer import STOP_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

__all__ = ["fit_projection"]

_MARKS = ("##", "Ġ", "▁")  # of pieces of words, and of pieces behind a space
_POWER = -0.25
_TINY = 1e-12


def fit_projection(
    encoder: TokenEncoder,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    dim: int,
    *,
    read: int = 112,
    kept: int = 64,
) -> TokenProjection:
    """A projection from some hundred queries and documents; of the same texts always the same.

    Args:
        encoder: Shows the tokens of its last layer.
        texts: Queries and documents alike, each read as a query.
        tokenizer: The encoder's.
        dim: Values of a token vector.
        read: See `TokenProjection`; of each text, too, only so many tokens count.
        kept: See `TokenProjection`.

    Raises:
        EncoderError: If the encoder shows no tokens.
        ValueError: If the texts have fewer tokens than a vector has values.
    """
    total = np.zeros(encoder.profile.dim)
    products = np.zeros((encoder.profile.dim, encoder.profile.dim))
    count = 0
    for text in texts:
        (tokens,) = encoder.encode_tokens([text])
        states = tokens.vectors[:read].astype(np.float64)
        states /= np.maximum(np.linalg.norm(states, axis=1, keepdims=True), _TINY)
        total += states.sum(axis=0)
        products += states.T @ states
        count += len(states)
    if count <= dim:
        raise ValueError(f"{count} tokens are too few for vectors of {dim} values")
    mean = total / count
    variances, directions = np.linalg.eigh(products / count - np.outer(mean, mean))
    variances, directions = variances[::-1][:dim], directions[:, ::-1][:, :dim]
    # A direction and its opposite are the same; which one comes out differs between machines.
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(dim)])
    matrix = directions * signs * np.maximum(variances, _TINY) ** _POWER
    silent, stop_words = _dropped(tokenizer)
    return TokenProjection(
        mean=mean.astype(np.float32),
        matrix=matrix.astype(np.float32),
        silent=silent,
        stop_words=stop_words,
        read=read,
        kept=kept,
    )


def _dropped(tokenizer: Tokenizer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids of special tokens and those without a letter or digit, and ids of whole stop words."""
    silent = {i for i, t in tokenizer.get_added_tokens_decoder().items() if t.special}
    stop_words = set()
    for token, id_ in tokenizer.get_vocab().items():
        mark = next((m for m in _MARKS if token.startswith(m)), "")
        piece = token[len(mark) :]
        if not any(character.isalnum() for character in piece):
            silent.add(id_)
        elif mark != "##" and piece.lower() in STOP_WORDS:
            stop_words.add(id_)
    return _ascending(silent), _ascending(stop_words)


def _ascending(ids: set[int]) -> NDArray[np.int64]:
    return np.array(sorted(ids), dtype=np.int64)
