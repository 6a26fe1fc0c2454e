"""What was meant by an argument that there is not: by its spelling, or as other tools call it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

__all__ = ["meant_argument", "meant_word"]

_NEAR = 0.75  # likeness of a slip of the pen
_NUMBER = re.compile(r"(-[a-zA-Z])\d+")  # an option and its number in one word

# Words that mean the same to the users of other tools. Only those that a command has are offered,
# in this order.
_COMMANDS = (
    "search find query lookup ask select retrieve recommend suggest match grep get",
    "index build create make update rebuild refresh reindex sync",
    "list ls show places where paths locate folders",
    "doctor check lint validate verify audit diagnose health",
    "remove delete rm drop uninstall disable",
    "install setup init add enable hooks",
    "serve server http api web ui start run",
    "config settings configure configuration options preferences",
    "status info state installed",
    "log logs history trace",
    "evaluate eval evals test benchmark bench measure score",
    "data dataset datasets",
    "convert transform",
    "compare diff versus leaderboard",
    "analyze analyse analysis stats",
    "train fit finetune fine-tune",
    "calibrate calibration threshold thresholds",
    "push publish upload deploy",
    "export onnx",
)
_OPTIONS = (
    "-k -n --k --n --top --top-k --topk --limit --num --count --number --max --max-results"
    " --results --hits",
    "--library --lib --dir --directory --path --paths --folder --folders --skills --skill-dir"
    " --skills-dir --root -d -L",
    "--json --format --output-format --as-json -j",
    "--output --out --output-file --outfile --dest --destination -o",
    "--agent --client --assistant --tool -a",
    "--model --encoder --embedder --embedding-model --embeddings -m",
    "--rerank --cross-encoder",
    "--explain --why --debug --trace",
    "--all --verbose --full --everything -v -vv",
    "--dry-run --dryrun --simulate --what-if --preview",
    "--index --index-path --db --database --store",
    "--split --subset",
    "--seed --random-seed --random-state",
    "--port -p",
    "--host --bind --address --listen",
    "--workers --jobs --threads --processes -j",
    "--where --filter --filters",
    "--select --auto --pick",
    "--strict --fail --exit-code --werror",
    "--version -V",
    "--help -? -H",
)


def meant_word(word: str, known: Iterable[str]) -> str:
    """The one of `known` that a word is like, or means elsewhere, behind an error; or nothing."""
    return _said(_likely(word, list(known), _COMMANDS))


def meant_argument(argument: str, known: Iterable[str]) -> str:
    """What an argument that a command does not take was likely meant to be; perhaps empty.

    Args:
        argument: As it was given.
        known: The options of the command.
    """
    options = list(known)
    if argument.startswith("-"):
        option = argument.partition("=")[0]
        number = _NUMBER.fullmatch(option)
        return _said(_likely(number[1] if number else option, options, _OPTIONS))
    if "--library" in options and _is_folder(argument):
        return _said(f"--library {argument:.100}")
    return _said(f"--agent {argument:.100}") if "--agent" in options and _agent(argument) else ""


def _said(likely: str) -> str:
    return f"; did you mean {likely}?" if likely else ""


def _likely(word: str, known: list[str], groups: Iterable[str]) -> str:
    """A known word of the same meaning, else one that is spelt nearly so."""
    names = (name for group in groups if word in (same := group.split()) for name in same)
    if same_meaning := next((name for name in names if name in known), ""):
        return same_meaning
    bare = {name.lstrip("-"): name for name in reversed(known)}
    plain = word.lstrip("-")
    near = get_close_matches(plain, bare, 1, _NEAR) if len(plain) > 1 else []
    return bare[near[0]] if near else ""


def _is_folder(argument: str) -> bool:
    """Whether it is a folder, or is written as one."""
    try:
        return Path(argument).expanduser().is_dir() or os.sep in argument
    except (OSError, RuntimeError, ValueError):  # too long, no home, a zero byte
        return False


def _agent(name: str) -> bool:
    from skillret.errors import InputError
    from skillret.skills.agents import find_agent

    try:
        find_agent(name)
    except InputError:
        return False
    return True
