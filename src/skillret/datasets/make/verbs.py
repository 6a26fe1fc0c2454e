"""English verbs that descriptions of skills begin with, and their forms."""

from __future__ import annotations

import re
from functools import cache

__all__ = ["base_form", "imperative", "is_verb", "leading_verb"]

_VERBS = """
    accelerate access achieve adapt add adjust administer advise aggregate align allocate
    analyse analyze animate annotate answer apply architect archive arrange ask assemble assess
    assign assist audit authenticate author automate back balance benchmark blend book boost
    bootstrap brainstorm break brief bring browse build bundle calculate calibrate call capture
    catalog categorise categorize challenge chart check choose clarify classify clean clone
    coach code collaborate collect combine commit communicate compare compile complete compose
    compress compute conduct configure connect construct consult containerise containerize
    control convert coordinate copy correct craft crawl create critique crop customise customize
    cut debate debug decide declare decode decompose deduplicate define delegate deliver
    demonstrate deploy describe design detect determine develop diagnose diff discover discuss
    dispatch display dockerize document download draft draw edit embed empty enable encode
    encrypt enforce engineer enhance enrich ensure enumerate establish estimate evaluate examine
    execute expand explain explore export expose extend extract facilitate fetch file fill
    filter finalise finalize find fine-tune fix flag fold follow forecast format formulate frame
    fuzz gather generate get give grade group grow guide handle harden help hide highlight host
    identify illustrate implement import improve incorporate index ingest initialize inspect
    install instrument integrate interact interpret interview introduce invent investigate
    invoke iterate join keep label launch lay lead learn leverage lint list load localise
    localize locate log lookup maintain make manage map mark master measure merge migrate
    minimise minimize mock model moderate modernise modernize modify monitor move name narrate
    navigate negotiate normalise normalize open operate optimise optimize orchestrate organise
    organize outline overhaul package paint parse patch perform personalise personalize pick
    pipe plan play plot polish port post practice prepare present preserve prevent prioritise
    prioritize process produce profile program project proofread propose protect prototype
    provide provision prune publish pull push qualify quantify query quiz rank rate read rebase
    rebuild recommend reconcile record recover redact redesign reduce refactor refine reformat
    register release remix remove rename render reorganize repair replace replan reply report
    represent reproduce request research resize resolve respond restore restructure retrieve
    reuse review revise rewrite rotate route run sanitise sanitize save scaffold scale scan
    schedule scope score scrape screen search secure segment select send separate set setup
    shape share ship show shrink simplify simulate size sketch slice solve sort source spawn
    specify split stabilise stabilize stage standardise standardize start stitch store
    streamline strengthen structure study style submit suggest summarise summarize support
    survey synchronise synchronize synthesise synthesize tag tailor take teach test trace track
    train transcribe transfer transform translate transpile triage trim troubleshoot tune turn
    tutor type understand unify update upgrade upload use validate verify version visualise
    visualize walk watch weigh wire wrap write
"""
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
_AFTER_NOUNS = frozenset(
    "of for in with to from on and or into across by that which as at via using are is".split()
)
_JOINTS = frozenset(("and", "or", "&", "then"))
_NOT_PLAIN = frozenset("use help provide enable ensure master support".split())


@cache
def _verbs() -> frozenset[str]:
    return frozenset(_VERBS.split())


def is_verb(word: str) -> bool:
    """Whether a word is the base form of a verb that skills begin with."""
    return word.lower() in _verbs()


def base_form(word: str) -> str | None:
    """The base form of a known verb (`creates`, `creating` -> `create`); None of other words."""
    word = word.lower()
    known = _verbs()
    if word in known:
        return word
    stems: list[str] = []
    if word.endswith("ing") and len(word) > 5:
        stem = word[:-3]
        stems += [stem, f"{stem}e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem]
    elif word.endswith("ies"):
        stems.append(f"{word[:-3]}y")
    elif word.endswith("es"):
        stems += [word[:-1], word[:-2]]
    elif word.endswith("s") and not word.endswith("ss"):
        stems.append(word[:-1])
    return next((stem for stem in stems if stem in known), None)


def imperative(phrase: str) -> str | None:
    """A phrase that begins with a known verb in any form, as a wish: `Creates a` -> `create a`.

    Verbs that are listed with it follow: `creating, editing or merging`.
    """
    first, _, rest = phrase.strip().partition(" ")
    bare = first.rstrip(",").lower()
    base = base_form(bare)
    if base is None or not rest.strip():
        return None
    words = [base + first[len(first.rstrip(",")) :], *rest.split()]
    return " ".join(words if bare == base else _same_form(words, bare[-1]))


def _same_form(words: list[str], ending: str) -> list[str]:
    """The verbs that go on a list in base form, where they have the form of the first one.

    Such a word may be a noun as well ("charts and maps"): it is a verb where an object follows.
    """
    out = list(words)
    for number, word in enumerate(words[1:], start=1):
        core = word.rstrip(",")
        before, behind = words[number - 1], words[number + 1 : number + 2]
        found = base_form(core)
        if found in (None, core.lower()) or core[-1].lower() != ending:
            continue
        listed = before.endswith(",") or before.lower() in _JOINTS
        in_front = all(w.endswith(",") or w.lower() in _JOINTS for w in words[:number])
        object_ = word == core and behind and behind[0].lower() not in _AFTER_NOUNS
        if listed and (in_front or object_):
            out[number] = f"{found}{word[len(core) :]}"
    return out


def leading_verb(text: str) -> str | None:
    """The first verb of a text that says what is done, in base form."""
    for word in _WORD.findall(text.lower())[:40]:
        base = base_form(word)
        if base is not None and base not in _NOT_PLAIN:
            return base
    return None
