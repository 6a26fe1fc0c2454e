"""Settings in JSON with comments, edited as text: what is not ours stays as it is written.

No well-kept library edits such files in place; those that keep comments write everything anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

__all__ = ["END", "Inserted", "has", "insert", "parse", "remove", "remove_moved"]

END = "-"  # as the last step of a path: behind the last element of a list
_DEPTH = 100
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null", re.ASCII)
_UNIT = re.compile(r"\n([ \t]+)[\"{\[]")
_INDENT = re.compile(r"[ \t]*")


@dataclass(slots=True)
class _Node:
    """A value, and from where to where it is written."""

    start: int
    end: int = 0
    value: Any = None
    items: list[_Item] = field(default_factory=list)


@dataclass(slots=True)
class _Item:
    """An element or a member: from its start (of the key) to the end of its value."""

    start: int
    node: _Node
    key: str | None = None
    comma: int | None = None

    @property
    def end(self) -> int:
        return self.node.end


class Inserted(NamedTuple):
    """What must be known to take a value out again.

    Attributes:
        path: Keys from the root; `END` for behind the last element of a list.
        value: What was inserted.
        depth: How many steps of the path were there already.
        gap: What stood between the brackets of the list or object that was empty.
    """

    path: tuple[str, ...]
    value: Any
    depth: int
    gap: str


def parse(text: str) -> Any:
    """The data of a text.

    Raises:
        ValueError: If it is neither JSON nor JSON with comments and trailing commas.
    """
    return _tree(text).value


def has(text: str, path: Sequence[str], value: Any) -> bool:
    """Whether a value is where `insert` would put it.

    Raises:
        ValueError: As for `parse`.
    """
    return _find(_tree(text), path, value) is not None


def insert(text: str, path: Sequence[str], value: Any) -> tuple[str, Inserted]:
    """Insert a value, and what of its path is missing.

    Args:
        text: JSON, perhaps with comments and trailing commas.
        path: Keys from the root; `END` for behind the last element of a list.
        value: Anything that JSON can hold.

    Returns:
        The new text, and what `remove` needs to give back the old one.

    Raises:
        ValueError: If the text cannot be parsed, holds something else on the way, or the key.
    """
    node = _tree(text)
    depth = 0
    for depth, key in enumerate(path):
        wanted, kind = (list, "list") if key == END else (dict, "object")
        if not isinstance(node.value, wanted):
            where = ".".join(path[:depth])
            raise ValueError(f"{where or 'the whole'} is no {kind}")
        found = next((i for i in reversed(node.items) if i.key == key), None)
        if key == END or found is None:
            break
        node = found.node
    else:
        raise ValueError(f"{'.'.join(path)} is there already")
    nested = value
    for key in reversed(path[depth + 1 :]):
        nested = [nested] if key == END else {key: nested}
    new, gap = _add(text, node, None if path[depth] == END else path[depth], nested)
    inserted = Inserted(tuple(path), value, depth, gap)
    if remove(new, inserted) != text:
        raise ValueError("it is written in a way in which nothing can be inserted safely")
    return new, inserted


def remove(text: str, inserted: Inserted) -> str | None:
    """Take out what `insert` has inserted, whatever else has changed since.

    Lists and objects that were made for it go too, if nothing else is in them.

    Returns:
        The new text; None if the value is not there (any more).

    Raises:
        ValueError: If the text cannot be parsed.
    """
    chain = _find(_tree(text), inserted.path, inserted.value)
    if chain is None:
        return None
    return _without(text, chain, inserted)


def remove_moved(text: str, inserted: Inserted) -> str:
    """Take out of lists what runs the very commands of an inserted value: copies, and what moved.

    Args:
        text: JSON, without the value itself.
        inserted: What was inserted into a list.

    Raises:
        ValueError: If the text cannot be parsed.
    """
    commands = _commands(inserted.value) if inserted.path[-1] == END else []
    while commands:
        item = next((i for i in _tree(text).items if i.key == inserted.path[0]), None)
        chain = None if item is None else _calling(item.node, commands)
        if chain is None:
            break
        text = _without(text, chain, inserted._replace(depth=len(chain), gap=""))
    return text


def _calling(node: _Node, commands: list[Any]) -> list[tuple[_Node, int]] | None:
    """The way to an element of a list that runs nothing but some commands."""
    for index, item in enumerate(node.items):
        runs = _commands(item.node.value)
        if item.key is None and runs and all(command in commands for command in runs):
            return [(node, index)]
        below = _calling(item.node, commands)
        if below is not None:
            return [(node, index), *below]
    return None


def _without(text: str, chain: list[tuple[_Node, int]], inserted: Inserted) -> str:
    depth = len(chain) - 1
    while depth > inserted.depth and _holds_only(text, *chain[depth]):
        depth -= 1
    node, index = chain[depth]
    cuts = _cuts(text, node, index)
    if len(node.items) == 1:
        begin, end = node.start + 1, node.end - 1
        left = _cut(text[: node.end - 1], cuts)[begin:]
        if not left.strip(" \t\r\n"):
            return text[:begin] + inserted.gap + text[end:]
    new = _cut(text, cuts)
    _tree(new)
    return new


def _find(node: _Node, path: Sequence[str], value: Any) -> list[tuple[_Node, int]] | None:
    """Each list or object on the way to a value, and the item in it that leads on."""
    chain: list[tuple[_Node, int]] = []
    for step, key in enumerate(path):
        last = step == len(path) - 1
        if not isinstance(node.value, list if key == END else dict):
            return None
        fitting = [i for i, item in enumerate(node.items) if key == END or item.key == key]
        if last:
            fitting = [i for i in fitting if _same(node.items[i].node.value, value)] or [
                i for i in fitting if key == END and _edited(node.items[i].node.value, value)
            ]
        if not fitting:
            return None
        index = fitting[-1]
        chain.append((node, index))
        node = node.items[index].node
    return chain


def _edited(value: Any, other: Any) -> bool:
    """Whether one entry runs the very commands of another, whatever else was changed in it."""
    commands = _commands(other)
    return bool(commands) and _commands(value) == commands


def _commands(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [command for each in value for command in _commands(each)]
    if not isinstance(value, dict):
        return []
    own = [[value["command"], value.get("args")]] if "command" in value else []
    return own + [command for each in value.values() for command in _commands(each)]


def _same(value: Any, other: Any) -> bool:
    """Equality that tells `true` from `1`."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _add(text: str, node: _Node, key: str | None, value: Any) -> tuple[str, str]:
    """The text with one more item at the end of a list or object, and what an empty one held."""
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = next((m.group(1) for m in [_UNIT.search(text)] if m), "  ")
    outer = _indent(text, node.start)
    close = node.end - 1
    name = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "

    def lines(indent: str) -> str:
        rendered = json.dumps(value, indent=unit, ensure_ascii=False)
        return newline + indent + name + rendered.replace("\n", newline + indent)

    if not node.items:
        start = node.start + 1
        after, _ = _behind_comments(text, start, close)
        if after > start:
            return text[:after] + lines(outer + unit) + text[after:], ""
        return text[:start] + lines(outer + unit) + newline + outer + text[close:], text[
            start:close
        ]
    last = node.items[-1]
    begin = last.end if last.comma is None else last.comma + 1
    after, open_ended = _behind_comments(text, begin, close)
    if "\n" in text[node.start : node.items[0].start] or open_ended:
        line = text.rfind("\n", 0, last.start) + 1
        own_line = not text[line : last.start].strip(" \t")
        item = lines(text[line : last.start] if own_line else outer + unit)
    else:
        item = f" {name}{json.dumps(value, ensure_ascii=False)}"
    comma_before, comma_behind = (",", "") if last.comma is None else ("", ",")
    new = text[: last.end] + comma_before + text[last.end : after] + item + comma_behind
    return new + text[after:], ""


def _indent(text: str, position: int) -> str:
    """The white space that the line of a position begins with."""
    found = _INDENT.match(text, text.rfind("\n", 0, position) + 1)
    return found.group() if found else ""


def _behind_comments(text: str, start: int, end: int) -> tuple[int, bool]:
    """Where the last comment between two tokens ends, and whether only its line ends it."""
    after, open_ended, position = start, False, start
    while position < end:
        position = _space(text, position)
        comment = _COMMENT.match(text, position)
        if comment is None or position >= end:
            break
        after = position = comment.end()
        open_ended = comment.group().startswith("//")
    return after, open_ended


def _space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _cuts(text: str, node: _Node, index: int) -> list[tuple[int, int]]:
    """What must go from the text so that an item is gone, with its comma and its own lines."""
    item = node.items[index]
    comma_before = node.items[index - 1].comma if index else None
    begin, open_ended = _behind_comments(
        text, node.start + 1 if comma_before is None else comma_before + 1, item.start
    )
    stop, cuts = item.end, []
    if item.comma is not None and _behind_comments(text, item.end, item.comma)[0] == item.end:
        stop = item.comma + 1
    elif item.comma is not None:
        cuts.append((item.comma, item.comma + 1))
    elif comma_before is not None:
        cuts.append((comma_before, comma_before + 1))
    rest = text[stop:].lstrip(" \t")
    if open_ended and not rest.startswith(("\r", "\n")):
        begin = item.start  # or else the comment before it would swallow what follows
    return [*cuts, (begin, stop)]


def _cut(text: str, cuts: list[tuple[int, int]]) -> str:
    for start, end in sorted(cuts, reverse=True):
        text = text[:start] + text[end:]
    return text


def _holds_only(text: str, node: _Node, index: int) -> bool:
    """Whether a list or object holds nothing but one item, not even a comment."""
    item = node.items[index]
    behind = item.end if item.comma is None else item.comma + 1
    return len(node.items) == 1 and all(
        not text[start:end].strip(" \t\r\n,")
        for start, end in ((node.start + 1, item.start), (item.end, behind), (behind, node.end - 1))
    )


def _tree(text: str) -> _Node:
    position = _skip(text, 0)
    root = _value(text, position, 0)
    position = _skip(text, root.end)
    if position < len(text):
        raise _fault(text, position, "something follows the end")
    return root


def _skip(text: str, position: int) -> int:
    """The next position that is neither white space nor a comment."""
    while True:
        position = _space(text, position)
        comment = _COMMENT.match(text, position)
        if comment is None:
            return position
        position = comment.end()


def _value(text: str, start: int, depth: int) -> _Node:
    if depth > _DEPTH:
        raise _fault(text, start, "nested too deeply")
    first = text[start : start + 1]
    if first in ("{", "["):
        return _container(text, start, depth)
    if first == '"':
        value, end = _string(text, start)
        return _Node(start, end, value)
    word = _WORD.match(text, start)
    if word is None:
        raise _fault(text, start, "a value is missing" if first else "it ends too early")
    return _Node(start, word.end(), json.loads(word.group()))


def _container(text: str, start: int, depth: int) -> _Node:
    """A list or an object."""
    is_list = text[start] == "["
    node = _Node(start, value=[] if is_list else {})
    position = _skip(text, start + 1)
    while not text.startswith("]" if is_list else "}", position):
        if node.items and node.items[-1].comma is None:
            raise _fault(text, position, "a comma is missing" if text[position:] else "no end")
        item_start, key = position, None
        if not is_list:
            key, position = _string(text, position)
            position = _skip(text, position)
            if not text.startswith(":", position):
                raise _fault(text, position, "a colon is missing")
            position = _skip(text, position + 1)
        item = _Item(item_start, _value(text, position, depth + 1), key)
        node.items.append(item)
        if is_list:
            node.value.append(item.node.value)
        else:
            node.value[key] = item.node.value
        position = _skip(text, item.end)
        if text.startswith(",", position):
            item.comma = position
            position = _skip(text, position + 1)
    node.end = position + 1
    return node


def _string(text: str, start: int) -> tuple[str, int]:
    if not text.startswith('"', start):
        raise _fault(text, start, "a key in double quotes is missing")
    try:
        return scanstring(text, start + 1, True)  # type: ignore[no-any-return]
    except json.JSONDecodeError as e:
        raise _fault(text, start, e.msg) from None


def _fault(text: str, position: int, what: str) -> ValueError:
    return ValueError(f"line {text.count(chr(10), 0, position) + 1}: {what}")
