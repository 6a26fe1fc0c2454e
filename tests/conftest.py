"""What all tests share: a home of their own, a seeded encoder, skills on disk."""

import hashlib
import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from skillret import Index, Profile, Skill
from skillret.encoders import Documents, Tokens
from skillret.index import Sources
from skillret.settings import KEYS
from skillret.skills.agents import AGENTS

ROOT = Path(__file__).parents[1]

# A busy machine is no failure, and neither is the first import of a large library.
settings.register_profile("skillret", deadline=None)
settings.load_profile("skillret")


@cache
def _word_vector(word: str, dim: int):
    seed = hashlib.sha256(word.encode()).digest()[:8]
    generator = np.random.default_rng(int.from_bytes(seed, "little"))
    return generator.standard_normal(dim, dtype=np.float32)


class HashEncoder:
    """Deterministic vectors from word hashes: shared words make texts similar. Counts its work."""

    def __init__(self, seed: str = "seed", dim: int = 32) -> None:
        weights = hashlib.sha256(seed.encode()).hexdigest()
        self.profile = Profile(f"hash-{seed}", dim=dim, weights=weights)
        self.encoded: list[str] = []

    def _encode(self, texts):
        out = np.zeros((len(texts), self.profile.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in [*text.lower().split(), "constant"]:
                out[row] += _word_vector(self.profile.name + word, self.profile.dim)
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    def encode_queries(self, texts):
        return self._encode(texts)

    def encode_documents(self, texts, progress=None):
        self.encoded += texts
        if progress is not None:
            progress(len(texts))
        return self._encode(texts)


class TokenHashEncoder(HashEncoder):
    """The same, and it shows its words as tokens."""

    def encode_tokens(self, texts):
        return [self._tokens(text) for text in texts]

    def _tokens(self, text):
        words = [(m.group().lower(), *m.span()) for m in re.finditer(r"\S+", text)]
        words = [("constant", 0, 0), *words]
        vectors = [_word_vector(self.profile.name + w, self.profile.dim) for w, _, _ in words]
        spans = np.array([(start, end) for _, start, end in words], dtype=np.int64)
        return Tokens(self.encode_queries([text])[0], np.stack(vectors), spans)


class LateHashEncoder(TokenHashEncoder):
    """The same, and its words meet in late interaction, by the first values of their vectors."""

    def __init__(self, seed: str = "seed", dim: int = 32) -> None:
        super().__init__(seed, dim)
        self.profile = replace(self.profile, token_dim=8, token_projection=f"of {seed}")

    def _tokens(self, text):
        tokens = super()._tokens(text)
        late = tokens.vectors[1:, : self.profile.token_dim]
        return tokens._replace(late=late / np.linalg.norm(late, axis=1, keepdims=True))

    def encode_document_tokens(self, texts, progress=None):
        words = [list(dict.fromkeys(text.lower().split())) for text in texts]
        late = [self._tokens(" ".join(own)).late for own in words]
        tokens = [np.rint(127 * rows).astype(np.int8) for rows in late]
        return Documents(self.encode_documents(texts, progress), tokens)


def make_skill(name: str, description: str = "", body: str = "", **fields) -> Skill:
    return Skill(fields.pop("id", name), name, description or f"About {name}.", body, **fields)


def write_skill(
    folder: Path, name: str, description: str = "A skill.", body: str = "Do it."
) -> Path:
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    file = target / "SKILL.md"
    file.write_text(
        f"---\nname: {name}\ndescription: {description}\n---\n\n{body}\n", encoding="utf-8"
    )
    return file


SKILLS = [
    make_skill(
        "pdf-tables", "Extract tables from PDF files into a spreadsheet.", "Use OCR for scans."
    ),
    make_skill("kubernetes-debugging", "Find out why pods crash or restart.", "Read the events."),
    make_skill("release-notes", "Write release notes from git commits.", "Group the commits."),
    make_skill("meal-planner", "Plan meals and a shopping list for a week.", "Ask for allergies."),
]


def fill(path: Path, skills=SKILLS, encoder=None) -> Index:
    """An index file of some skills, open."""
    index = Index.open(path, create=True, model=encoder or HashEncoder())
    index.update(skills, sources=Sources(dataset="test"))
    return index


def name_of(searcher, key: int) -> str:
    """The name of a skill that a searcher found."""
    return searcher.corpus.records([key])[key].name


def _move_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    moved = {variable for agent in AGENTS for variable, _ in agent.moved_by}
    unset = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA")
    for name in (*unset, "NO_COLOR", "FORCE_COLOR", *moved):
        monkeypatch.delenv(name, raising=False)
    for key in ("debug", *KEYS):
        monkeypatch.delenv(f"SKILLRET_{key.upper()}", raising=False)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository, which is the current folder."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True, scope="session")
def home_of_modules(tmp_path_factory):
    """Where fixtures of a module or session live, which are made before a test has its `home`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _move_home(tmp_path_factory.mktemp("home"), monkeypatch)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No test sees or touches the real home directory."""
    home = tmp_path / "home"
    home.mkdir()
    _move_home(home, monkeypatch)
    return home


@pytest.fixture
def encoder():
    return HashEncoder()


@pytest.fixture
def library(tmp_path):
    """Four skills in a folder."""
    folder = tmp_path / "library"
    for skill in SKILLS:
        write_skill(folder, skill.name, skill.description, skill.body)
    return folder


@pytest.fixture(scope="session")
def openskillret():
    """The OpenSkillRet data set; tests that need it are skipped where it is absent."""
    default = ROOT.parent / "shared" / "data" / "openskillret"
    folder = Path(os.environ.get("SKILLRET_DATA", default))
    if not (folder / "data" / "skills").is_dir():
        pytest.skip("needs the OpenSkillRet data set (SKILLRET_DATA=folder)")
    return folder


@pytest.fixture
def changed():
    """A copy of a skill with another body."""
    return lambda skill, body="Something else entirely.": replace(skill, body=body)


@pytest.fixture
def dataset(tmp_path):
    """See `tests.tables.write_dataset`."""
    from tests.tables import write_dataset

    return write_dataset(tmp_path / "set")
