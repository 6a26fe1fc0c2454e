"""`kill -9` at random moments: nothing that was reported as stored is lost."""

import itertools
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from tests.conftest import ROOT, LateHashEncoder, make_skill
from tests.index.tools import keys_of, names, said

from skillret import Index, Skill
from skillret.skills import document_text


def libraries(seed):
    """Without end: libraries of about 32 skills, each unlike the one before."""
    rng = random.Random(seed)
    while True:
        yield [
            make_skill(f"s{i}", body=f"text {rng.randrange(3)} of s{i}")
            for i in range(40)
            if rng.random() < 0.8
        ]


# Builds and updates without end; says so when the next library is stored.
_WRITER = """
    import sys, time
    from tests.conftest import LateHashEncoder
    from tests.index.test_kill import libraries
    import skillret, skillret.index.index as module
    module._CHUNK = 4
    class Slow(LateHashEncoder):
        def encode_documents(self, texts, progress=None):
            time.sleep(0.003)
            return super().encode_documents(texts, progress)
    import skillret.index.sqlite_arrays as arrays
    import skillret.index.array_file as array_file
    arrays.MAP_FROM, arrays.LEAST_TAIL = 8, 16
    array_file.LISTS_FROM = arrays.LISTS_FROM = 12
    index = skillret.Index.open(sys.argv[1], create=True, model=Slow())
    print("ready", flush=True)
    for number, skills in enumerate(libraries(int(sys.argv[2]))):
        index.update(skills)
        print("stored", number, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_fifty_kills_lose_nothing(tmp_path):
    path = tmp_path / "i.db"
    rng = random.Random(7)
    encoder = LateHashEncoder()
    reported = 0
    before: list[Skill] = []
    for round_ in range(50):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_WRITER), str(path), str(round_)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # Every second time a change is stored before the kill, else it may hit the first build.
        lines = [process.stdout.readline()] if round_ % 2 else []
        # The moment of the kill is the input of this test, not a wait for something.
        time.sleep(rng.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.stdout.close()
        process.wait()
        reported += len(lines)

        with Index.open(path) as index:
            stored = {skill.name: skill for _, skill in index.store.skills()}
            # What was reported last, or the one after it if the kill came before the report.
            sequence = [before, *itertools.islice(libraries(round_), len(lines) + 1)]
            before = list(stored.values())
            state = {(s.name, s.body) for s in before}
            assert state in [{(s.name, s.body) for s in skills} for skills in sequence[-2:]]
            assert names(index) == sorted(stored)
            assert not index.store.damaged()
            corpus = index.corpus()
            keys = keys_of(corpus)
            vectors, tokens = corpus.vectors(np.array(keys)), corpus.tokens(keys)
            for key, record in corpus.records(keys).items():
                text = document_text(stored[record.name], encoder.profile.template)
                cosine = encoder.encode_queries([text])[0] @ vectors[keys.index(key)]
                assert cosine > 0.999, record
                (expected,) = encoder.encode_document_tokens([text]).tokens
                np.testing.assert_array_equal(tokens[key], expected)
                assert record.name in said(corpus, record.name)
        with sqlite3.connect(path) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()
    assert reported >= 25
