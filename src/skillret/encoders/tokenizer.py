"""The tokenizer of a model folder, if it is one that ends: a model may come from anyone.

`tokenizer.json` is a small program: expressions that are matched with backtracking, replacements
that may lengthen a text, tables. What known families of models use is let through.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skillret.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["is_safe_pattern", "load_tokenizer"]

_MOST_BYTES = 64 << 20  # of the file; that of 250,000 words has 17 MB
_MOST_PATTERN = 2000  # characters
_MOST_GROWTH = 16  # times, by all replacements together
_MOST_INSERTED = 100  # characters, or special tokens, that one step may add
_MOST_WORD = 1000  # characters of a word that WordPiece cuts, in quadratic time

# Alternatives of bounded length with a repetition at the end, and one behind it that cannot fail:
# matched in linear time.
_ATOM = (
    r"(?:\\[pP]\{\^?\w+\}|\\[sSdDwWrnt]|\\[^\w\s]|\[(?:\\[^\n]|[^\[\]\\])+\]|[^\\\[\](){}|*+?^$])"
)
_REPEATED = rf"{_ATOM}(?:[*+?]|\{{\d+(?:,\d*)?\}})(?:{_ATOM}\*)?"
_SIMPLE = rf"(?:{_ATOM}\?)?(?:{_ATOM})*(?:{_REPEATED})?"
_EMPTY = re.compile(r"[*?]|\{[0,]|^\||\|\||\|$|^$")  # of an expression that may match nothing
# What else the tokenizers of GPT-2, CLIP, Llama 3, Qwen and GPT-4o hold. Those of several
# alternatives are safe together: what one leaves behind the next takes whole.
_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_KNOWN = (
    _ENDING,
    r"'(?i:[sdmt]|ll|ve|re)",
    r"\s+(?!\S)|\s+",
    r"\s*[\r\n]+|\s+(?!\S)|\s+",
    r"\s*[\r\n]|\s+(?!\S)|\s+",
    rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_ENDING}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_ENDING}?",
)
_ALTERNATIVE = "|".join([*map(re.escape, _KNOWN), _SIMPLE])
_SAFE = partial(re.compile, rf"(?:{_ALTERNATIVE})(?:\|(?:{_ALTERNATIVE}))*")


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model folder.

    Raises:
        EncoderError: If it cannot be loaded, or is made to take time or memory without end.
    """
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it is larger than {_MOST_BYTES >> 20} MB")
        tokenizer = Tokenizer.from_file(str(file))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as e:  # bare exceptions, and panics
        reason = " ".join(str(e).split())
        raise EncoderError(f"cannot load the tokenizer in {folder}: {reason:.200}") from None
    if (odd := _oddity(tokenizer)) is not None:
        raise EncoderError(
            f"the tokenizer in {folder} is not used: {odd}, as no known one has it, and could make"
            " it run without end"
        )
    return tokenizer


def is_safe_pattern(pattern: str) -> bool:
    """Whether an expression is matched in linear time, as far as can be seen from its form."""
    return len(pattern) <= _MOST_PATTERN and _SAFE().fullmatch(pattern) is not None


def _oddity(tokenizer: Tokenizer) -> str | None:
    """What of a tokenizer could take time or memory without end."""
    if getattr(tokenizer.model, "max_input_chars_per_word", 0) > _MOST_WORD:
        return f"it cuts words of more than {_MOST_WORD} characters"
    growth = 1
    for part in (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.post_processor):
        for step in _steps(json.loads(part.__getstate__())) if part is not None else ():
            pattern = step.get("pattern") or {}
            expression = pattern.get("Regex") if isinstance(pattern, dict) else None
            if expression is not None and not is_safe_pattern(expression):
                return f"it has the expression {expression!r:.80}"
            if step.get("type") == "Replace":
                empty = pattern == {"String": ""} or _EMPTY.search(expression or "x")
                growth *= max(len(step.get("content", "")) + bool(empty), 1)
                if growth > _MOST_GROWTH:
                    return f"its replacements make a text more than {_MOST_GROWTH} times as long"
            added = max(len(step.get("prepend") or ""), len(step.get("single") or ()))
            if added > _MOST_INSERTED or any(
                len(t["ids"]) > _MOST_INSERTED for t in (step.get("special_tokens") or {}).values()
            ):
                return f"it adds more than {_MOST_INSERTED} characters or tokens to every text"
            if _longest_mapped(step.get("precompiled_charsmap") or "") > _MOST_INSERTED:
                return f"it has characters that become more than {_MOST_INSERTED} others"
    return None


def _steps(state: Any) -> Iterator[dict[str, Any]]:
    """Every object in the state of a part, such as the steps of a sequence."""
    if isinstance(state, list):
        for one in state:
            yield from _steps(one)
    elif isinstance(state, dict):
        yield state
        for one in state.values():
            yield from _steps(one)


def _longest_mapped(table: str) -> int:
    """Bytes of the longest text that a table of sentencepiece puts in a character's place.

    A table is the size of its index in 4 bytes, the index, and the texts, each ended by a NUL.
    """
    data = base64.b64decode(table)
    texts = data[4 + int.from_bytes(data[:4], "little") :]
    return max(map(len, texts.split(b"\0")))
