"""What is fitted for an encoder after it is trained, in a file of its own: `calibration.json`.

A ranker, a threshold, and where they come from: which encoder's weights they belong to and which
queries they were fitted on, so that nobody takes a figure on these for a held-out one. The file
lies beside the weights, or anywhere else; indexes know nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skillret.encoders import Encoder, Profile
from skillret.errors import EncoderError
from skillret.files import expand, parse_json, read_text, write_text
from skillret.retrieval.features import RERANKED, features_of
from skillret.retrieval.ranker import Ranker
from skillret.retrieval.rerank import Reranker, reranker_identity

__all__ = [
    "CALIBRATION_FILE",
    "PURPOSES",
    "SAMPLE",
    "Calibration",
    "FittedOn",
    "QueryDigests",
    "load_calibration",
]

CALIBRATION_FILE = "calibration.json"
PURPOSES = ("ranker", "need", "thresholds", "helped", "terms")

_VERSION = 1
_MOST_BYTES = 4 << 20  # of a file; half a million queries
_MOST_ENTRIES = 100  # data sets, and texts
_PREFIX = 4  # bytes of a digest: of a million queries one is mistaken for another of the set
SAMPLE = 8  # of queries that merely helped one in so many is kept
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class QueryDigests:
    """A set of queries by digests, which tell that a query is in it and nothing more.

    Attributes:
        data: The first 4 bytes of the SHA-256 of each query's text (case and white space left
            aside), ascending, each once.
        one_in: 1, or 8 for a sample: it holds those of the set whose digests are multiples of 8,
            and of other texts nothing is known.
    """

    data: bytes
    one_in: int = 1

    @classmethod
    def of(cls, texts: Iterable[str], one_in: int = 1) -> QueryDigests:
        """The digests of some queries, or of a sample of them."""
        held = {d for d in map(_digest, texts) if d[-1] % one_in == 0}
        return cls(b"".join(sorted(held)), one_in)

    @classmethod
    def parse(cls, text: object, one_in: object = 1) -> QueryDigests:
        """What `str` made, and what it is a sample of.

        Raises:
            ValueError: If it is anything else.
        """
        if type(one_in) is not int or one_in not in (1, SAMPLE):
            raise ValueError(f"digests of queries cannot be one in {one_in!r:.40}")
        if not isinstance(text, str):
            raise ValueError("digests of queries are no text")
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("digests of queries are no base64") from None
        values = np.frombuffer(data[: len(data) // _PREFIX * _PREFIX], dtype=">u4")
        if len(data) % _PREFIX or not (values[:-1] < values[1:]).all() or (values % one_in).any():
            raise ValueError("digests of queries are damaged")
        return cls(data, one_in)

    def __str__(self) -> str:
        return base64.b64encode(self.data).decode()

    def __len__(self) -> int:
        return len(self.data) // _PREFIX

    def __contains__(self, text: str) -> bool:
        return _digest(text) in self._members

    def knows(self, text: str) -> bool:
        """Whether it can be told if a query is in it."""
        return self.one_in == 1 or _digest(text)[-1] % self.one_in == 0

    def within(self, other: QueryDigests) -> bool:
        """Whether all of them are in another set, as far as this one tells."""
        return other.one_in <= self.one_in and self._members <= other._members

    @cached_property
    def _members(self) -> frozenset[bytes]:
        return frozenset(self.data[i : i + _PREFIX] for i in range(0, len(self.data), _PREFIX))


class FittedOn(NamedTuple):
    """Labelled queries that something was fitted on.

    Attributes:
        dataset: Name of the data set.
        revision: Its commit on the hub, or the start of a SHA-256 over the split's files.
        split: Its name.
        n_queries: How many, those that need no skill included.
        purpose: What they were taken for, of `PURPOSES`: the weights of the `ranker`, the judgement
            of `need`, the `thresholds` of need and of the selection; `helped` to fit the ranker and
            judged nothing; fitted the weights of `terms`.
        queries: The queries themselves, as digests; a sample where they merely helped.
    """

    dataset: str
    revision: str
    split: str
    n_queries: int
    purpose: tuple[str, ...]
    queries: QueryDigests

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "dataset": self.dataset,
            "revision": self.revision,
            "split": self.split,
            "n_queries": self.n_queries,
            "purpose": list(self.purpose),
            "one_in": self.queries.one_in,
            "queries": str(self.queries),
        }

    @classmethod
    def from_json(cls, data: object) -> FittedOn:
        """What `to_json` made.

        Raises:
            KeyError: If a part is missing.
            ValueError: If it is malformed.
        """
        if not isinstance(data, dict):
            raise ValueError("an entry of fitted_on is no JSON object")
        purpose = data["purpose"]
        if not isinstance(purpose, list) or not purpose or not set(purpose) <= {*PURPOSES}:
            raise ValueError(f"the purpose {purpose!r:.60} is none of {', '.join(PURPOSES)}")
        return cls(
            _text(data, "dataset"),
            _text(data, "revision"),
            _text(data, "split"),
            _count(data, "n_queries"),
            tuple(purpose),
            QueryDigests.parse(data["queries"], data["one_in"]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What was fitted for one encoder.

    Attributes:
        encoder: `Profile.identity` of the encoder.
        ranker: Orders candidates, and judges need.
        threshold: Probability of need below which nothing is selected; None: nothing is turned
            away.
        fitted_on: The labelled queries that it was fitted on.
        texts: SHA-256 of the written texts that it learnt from beside them, by file name.
        created: ISO date.
        version: Of the format.
        reranker: `reranker_identity` of the one whose score is a feature of the ranker; mostly
            empty.
    """

    encoder: str
    ranker: Ranker
    threshold: float | None
    fitted_on: tuple[FittedOn, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    version: int = _VERSION
    reranker: str = ""

    @property
    def id(self) -> str:
        """12 hexadecimal digits of a SHA-256 over what was fitted, by which results name it."""
        content = [self.version, self.encoder, self.threshold, self.ranker.to_json()]
        content += [self.reranker] if self.reranker else []
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def seen(self, queries: Iterable[str], *purpose: str) -> float:
        """Share of some queries that it was fitted on, 0 to 1; 0 for no queries.

        Exact but for those that merely helped: of these only a sample is known, so their share
        among the rest is that among the rest's queries of the sample.

        Args:
            queries: Their texts.
            purpose: Only what was taken for one of these counts; for anything if none is named.
        """
        entries = [f for f in self.fitted_on if not purpose or {*purpose} & {*f.purpose}]
        whole = [f.queries for f in entries if f.queries.one_in == 1]
        sampled = [f.queries for f in entries if f.queries.one_in > 1]
        texts = list(queries)
        rest = [text for text in texts if not any(text in known for known in whole)]
        if not rest:
            return 1.0 if texts else 0.0
        told = [text for text in rest if all(known.knows(text) for known in sampled)]
        helped = sum(any(text in known for known in sampled) for text in told)
        return 1 - len(rest) * (1 - helped / max(len(told), 1)) / len(texts)

    def check_reranker(self, reranker: Reranker | None) -> None:
        """Refuse to be used without the reranker that it was fitted with.

        Raises:
            EncoderError: If it is another one, or there is none.
        """
        given = "" if reranker is None else reranker_identity(reranker)
        if self.reranker and given != self.reranker:
            raise EncoderError(
                f"this calibration was fitted with the reranker {self.reranker}, and is used"
                f" {f'with {given}' if given else 'without one'}: name that one (--rerank), or use"
                " another calibration"
            )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "version": self.version,
            "created": self.created,
            "encoder": self.encoder,
            **({"reranker": self.reranker} if self.reranker else {}),
            "threshold": self.threshold,
            "texts": dict(self.texts),
            "fitted_on": [entry.to_json() for entry in self.fitted_on],
            "ranker": self.ranker.to_json(),
        }

    def save(self, file: Path) -> None:
        """Write the file, some 50 kB, in one step.

        Raises:
            SkillretError: If it cannot be written.
        """
        write_text(file, _lines(self.to_json()) + "\n")

    @classmethod
    def load(cls, file: Path, profile: Profile) -> Calibration:
        """Read the file.

        Args:
            file: As `save` wrote it.
            profile: Of the encoder that it is to serve.

        Raises:
            EncoderError: If it is missing, malformed, of a later version of skillret, fitted for
                other weights, or names a feature that this version or the encoder does not know.
        """
        try:
            data = parse_json(read_text(file, _MOST_BYTES))
            if not isinstance(data, dict):
                raise ValueError("it is no JSON object")
            version = _count(data, "version")
            if version != _VERSION:
                raise EncoderError(
                    f"the calibration {file} is of a later version of skillret; upgrade skillret"
                )
            encoder = _text(data, "encoder")
            _check_encoder(encoder, profile, f"the calibration {file}")
            ranker = Ranker.from_json(data["ranker"], str(file), profile.dim)
            reranker = _text(data, "reranker") if "reranker" in data else ""
            if (RERANKED in ranker.features) != bool(reranker):
                raise ValueError("its ranker asks for a reranker that it does not name")
            if not set(ranker.features) <= {RERANKED, *features_of(profile)}:
                raise EncoderError(
                    f"the ranker in {file} goes by tokens, which {profile.name} does not show; fit"
                    " one anew: skillret calibrate DATASET --model MODEL --fit-ranker"
                )
            return cls(
                encoder=encoder,
                ranker=ranker,
                threshold=_threshold(data["threshold"]),
                fitted_on=_fitted_on(data["fitted_on"]),
                texts=_texts(data["texts"]),
                created=_matching(data["created"], _DATE, "created"),
                version=version,
                reranker=reranker,
            )
        except KeyError as e:
            raise EncoderError(f"the calibration {file} is malformed: {e} is missing") from None
        except (OSError, TypeError, ValueError) as e:
            raise EncoderError(f"cannot read the calibration {file}: {_reason(e)}") from None


def load_calibration(
    encoder: Encoder, file: str | os.PathLike[str] | Calibration | None = None
) -> Calibration | None:
    """The calibration of an encoder; None if there is none.

    Args:
        encoder: Its `folder`, if it has one, may hold a `calibration.json`.
        file: Another one to be used instead, or the calibration itself.

    Raises:
        EncoderError: As `Calibration.load` does; also if `file` is missing, and for a folder
            whose `profile.json` holds the ranker, as those of earlier versions did: without this
            it would be lost in silence.
    """
    if isinstance(file, Calibration):
        _check_encoder(file.encoder, encoder.profile, "this calibration")
        return file
    if file is not None:
        return Calibration.load(expand(file), encoder.profile)
    folder: Path | None = getattr(encoder, "folder", None)
    if folder is None:
        return None
    own = Path(folder) / CALIBRATION_FILE
    if own.exists():
        return Calibration.load(own, encoder.profile)
    if _holds_ranker(Path(folder) / "profile.json"):
        raise EncoderError(
            f"{folder} holds its ranker in profile.json, as an earlier version of skillret wrote"
            " it, and no calibration.json: fit it anew: skillret calibrate DATASET --model"
            f" {folder} --fit-ranker"
        )
    return None


def _check_encoder(identity: str, profile: Profile, what: str) -> None:
    if identity != profile.identity:
        raise EncoderError(
            f"{what} was fitted for other weights or settings than those of {profile.name}: its"
            " probabilities would mean nothing; fit one anew:"
            " skillret calibrate DATASET --model MODEL --fit-ranker"
        )


def _holds_ranker(profile: Path) -> bool:
    try:
        data = parse_json(read_text(profile, _MOST_BYTES))
    except (OSError, ValueError):
        return False  # there is none, or whoever loads the encoder says what is wrong with it
    return isinstance(data, dict) and bool(data.get("ranker"))


def _digest(text: str) -> bytes:
    plain = " ".join(text.casefold().split()).encode("utf-8", "replace")
    return hashlib.sha256(plain).digest()[:_PREFIX]


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError(f"{key!r} cannot be {value!r:.40}")
    return value


def _count(data: Mapping[str, Any], key: str) -> int:
    value = data[key]
    if type(value) is not int or value < 1:
        raise ValueError(f"{key!r} cannot be {value!r:.40}")
    return value


def _threshold(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"'threshold' cannot be {value!r:.40}")
    return float(value)


def _matching(value: object, pattern: re.Pattern[str], key: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{key!r} cannot be {value!r:.40}")
    return value


def _fitted_on(value: object) -> tuple[FittedOn, ...]:
    if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
        raise ValueError(f"'fitted_on' is no list of at most {_MOST_ENTRIES} entries")
    return tuple(FittedOn.from_json(entry) for entry in value)


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _MOST_ENTRIES:
        raise ValueError(f"'texts' is no object of at most {_MOST_ENTRIES} entries")
    return {name: _matching(digest, _SHA256, "texts") for name, digest in value.items()}


def _lines(value: Any, level: int = 0) -> str:
    """JSON with a line for each key, and a line for each list of numbers."""
    space = "\n" + " " * (level + 1)
    if isinstance(value, dict) and value:
        lines = (f"{json.dumps(k)}: {_lines(v, level + 1)}" for k, v in value.items())
        return "{" + space + f",{space}".join(lines) + space[:-1] + "}"
    if isinstance(value, list) and any(isinstance(v, list | dict) for v in value):
        lines = (_lines(v, level + 1) for v in value)
        return "[" + space + f",{space}".join(lines) + space[:-1] + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
