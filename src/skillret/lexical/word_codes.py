"""Words as pairs of numbers: one for the word as it is written, one for its term."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WordCodes", "WordRows", "plain_words"]

_ASCII = bytes(range(128))
# White space for what is no letter or digit; bytes of other characters stay, ...
_PLAIN = bytes(c if c > 127 or chr(c).isalnum() else 32 for c in range(256))
_ONLY_ASCII = bytes(c if c < 128 else 32 for c in _PLAIN)  # ... or none of them is a letter
_FEW_SIGNS = 50  # up to so many it is faster to replace one after the other
_TWO = struct.Struct("=II")
_KNOWN_WORDS = 1 << 17  # some 15 MB
_ROW_BITS = 18  # 8 MB of rows
_LONG = 16  # bytes of a word; longer ones have no row
# What is kept of the first and of the second eight bytes from where a word starts, by its length.
_KEPT = np.array(
    [[(1 << 8 * min(max(n - before, 0), 8)) - 1 for n in range(_LONG + 1)] for before in (0, 8)],
    dtype=np.uint64,
)
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))  # odd


def plain_words(spelled: str) -> bytes:
    """The words of a text as `spell` writes it, in UTF-8, with white space for all else.

    Words are runs of letters and digits. Bytes are searched faster than wide characters are.
    """
    text = spelled.encode()
    if len(text) == len(spelled):
        return text.translate(_PLAIN)
    strange = set(text.translate(None, _ASCII).decode())
    signs = {c for c in strange if not c.isalnum()}
    if len(signs) == len(strange):  # dashes and typographic quotes for the most part
        return text.translate(_ONLY_ASCII)
    if len(signs) > _FEW_SIGNS:
        text = spelled.translate(dict.fromkeys(map(ord, signs), " ")).encode()
    else:
        for sign in signs:
            text = text.replace(sign.encode(), b" ")
    return text.translate(_PLAIN)


class WordCodes(dict[bytes, bytes]):
    """The numbers of words, of 32 bits each, by word: CRC-32 of it, and of its term or 0 if none.

    Remembers the words that it met. May be shared by threads.

    Args:
        analyze: Gives the terms of a text, as BM25 counts them.
    """

    def __init__(self, analyze: Callable[[str], Sequence[str]]) -> None:
        self._analyze = analyze

    def __missing__(self, word: bytes) -> bytes:
        terms = self._analyze(word.decode())
        code = _TWO.pack(zlib.crc32(word), zlib.crc32(terms[0].encode()) if terms else 0)
        if len(self) < _KNOWN_WORDS:
            self[word] = code
        return code

    def of(self, words: Iterable[bytes]) -> NDArray[np.uint32]:
        """The two numbers of each word, `(w, 2)`."""
        return np.frombuffer(b"".join(map(self.__getitem__, words)), np.uint32).reshape(-1, 2)

    def look_up(
        self, texts: Sequence[bytes], limit: int | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The numbers of all words of some texts, `(w, 2)`, and which text each is of, `(w,)`.

        Args:
            texts: As `plain_words` makes them.
            limit: Words of each text at most.
        """
        words = [text.split()[:limit] for text in texts]
        owners = np.repeat(np.arange(len(texts)), [len(own) for own in words])
        return self.of(chain.from_iterable(words)), owners


class WordRows:
    """What `WordCodes` knows, as rows of an array, for whoever reads a whole library.

    Many words are looked up at once, each at a third of the cost. A word is told by its bytes, two
    numbers of 64 bits, and these say which row it has; there it takes the place of another one.
    For one thread: another one could read a row that is half written.

    Args:
        codes: Asked for the words that have no row.
    """

    def __init__(self, codes: WordCodes) -> None:
        self._codes = codes
        # The word's bytes, its numbers, and nothing: a row lies within a line of the cache.
        self._rows = np.zeros((1 << _ROW_BITS, 4), dtype=np.uint64)

    def look_up(self, texts: Sequence[bytes]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """See `WordCodes.look_up`."""
        text = b" %b%b" % (b" ".join(texts), b" " * _LONG)
        letters = np.frombuffer(text, np.uint8) != ord(" ")
        edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1
        starts, sizes = edges[::2], edges[1::2] - edges[::2]
        short = np.minimum(sizes, _LONG)
        at = np.ndarray(len(text) - 7, np.dtype("<u8"), text, strides=(1,))  # eight bytes from each
        first, second = at[starts] & _KEPT[0, short], at[starts + 8] & _KEPT[1, short]
        places = (first * _FACTORS[0] ^ second * _FACTORS[1]) >> np.uint64(64 - _ROW_BITS)
        rows = self._rows[places]
        known = (rows[:, 0] == first) & (rows[:, 1] == second) & (sizes <= _LONG)
        codes = rows[:, 2].copy()
        new = np.flatnonzero(~known)
        if len(new):
            spans = zip(starts[new].tolist(), (starts + sizes)[new].tolist(), strict=True)
            asked = self._codes.of(text[start:end] for start, end in spans)
            codes[new] = asked.view(np.uint64)[:, 0]
            new = new[sizes[new] <= _LONG]
            self._rows[places[new], :3] = np.stack([first[new], second[new], codes[new]], axis=1)
        ends = np.cumsum([len(own) + 1 for own in texts])
        return codes.view(np.uint32).reshape(-1, 2), np.searchsorted(ends, starts - 1, side="right")
