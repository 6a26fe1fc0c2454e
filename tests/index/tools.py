"""What tests of an index look at, by what every corpus can do."""

import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

import numpy as np
from tests.conftest import ROOT, SKILLS, HashEncoder

from skillret import Index, Retriever
from skillret.index import Sources

SOURCES = Sources(dataset="test")


def keys_of(corpus):
    """Keys of all skills, ascending."""
    if not len(corpus):
        return []
    vector = np.zeros((1, corpus.profile.dim), dtype=np.float32)
    vector[0, 0] = 1
    (everything,) = corpus.nearest(vector, [len(corpus) + 1])
    assert len(everything.keys) == len(corpus)
    keys = sorted(everything.keys.tolist())
    assert corpus.keys().tolist() == keys
    return keys


def names(index):
    """Names of all skills as a search sees them, and as they are stored."""
    corpus = index.corpus()
    seen = sorted(r.name for r in corpus.records(keys_of(corpus)).values())
    assert seen == sorted(skill.name for skill in index.skills())
    assert len(index) == len(corpus) == len(seen)
    return seen


def said(corpus, text, where=None):
    """Names of the skills that share a term with a text, best first."""
    keys, _ = corpus.best(corpus.terms(text), len(corpus) + 1, where)
    records = corpus.records(keys.tolist())
    return [records[key].name for key in keys.tolist()]


def change(path, *statements):
    """Change a file as someone else would; each is a statement, or one with its values."""
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def run(script, *args, **options):
    """A process with a script that may import tests."""
    return subprocess.Popen(
        [sys.executable, "-B", "-c", textwrap.dedent(script), *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **options,
    )


def rows_of(path):
    (file,) = path.with_name(path.name + ".cache").glob("rows-*.bin")
    return file


def check_answers(path):
    """Whatever lies beside it, an index answers as one whose vectors are right."""
    encoder = HashEncoder()
    with Retriever(Index.open(path, model=encoder)) as retriever:
        corpus = retriever.index.corpus()
        assert names(retriever.index) == sorted(skill.name for skill in SKILLS)
        vectors = corpus.vectors(np.array(keys_of(corpus)))
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
        for mode in ("hybrid", "dense", "lexical"):
            (hit,) = retriever.search("Find out why pods crash", k=1, mode=mode)
            assert hit.name == "kubernetes-debugging"
