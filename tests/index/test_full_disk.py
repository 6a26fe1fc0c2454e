"""An index on a full disk: nothing stored is lost, and what is there can be searched."""

import shutil
import subprocess
import sys
import textwrap

import pytest
from tests.conftest import ROOT, SKILLS, fill
from tests.index.tools import names, said

from skillret import Index
from skillret.errors import StoreError

_FULL = """
    import resource, signal, sys
    from tests.conftest import HashEncoder, make_skill
    from tests.index.tools import said
    import skillret
    from skillret.errors import StoreError
    if sys.argv[3] == "mapped":
        import skillret.index.sqlite_arrays
        skillret.index.sqlite_arrays.MAP_FROM = skillret.index.sqlite_arrays.LEAST_TAIL = 1
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    skills = [make_skill(f"new-{i}", body=f"body {i} " * 500) for i in range(300)]
    index = skillret.Index.open(sys.argv[1], model=HashEncoder())
    said(index.corpus(), "x")
    limit = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        index.update(skills)
        print("stored")
    except StoreError as e:
        print("refused:", e)
"""


_FULL_TO_READ = """
    import resource, signal, sys
    from tests.conftest import HashEncoder, make_skill
    import skillret
    from skillret.errors import StoreError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    with skillret.Retriever(skillret.Index.open(sys.argv[1], model=HashEncoder())) as retriever:
        print(len(retriever.search("pods", k=9, explain=True)))
        try:
            retriever.index.update([make_skill("x")])
        except StoreError as e:
            print(e)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("cache", [True, False])
def test_on_a_full_disk_an_index_can_be_searched(tmp_path, cache):
    pytest.importorskip("resource")
    path = tmp_path / "i.db"
    fill(path).close()
    if not cache:
        shutil.rmtree(tmp_path / "i.db.cache")
    out = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(_FULL_TO_READ), str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert out.returncode == 0, out.stderr
    answers, refusal = out.stdout.splitlines()
    assert answers == "4"
    assert "the disk is full" in refusal


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("kind", ["read", "mapped"])
def test_a_full_disk_loses_nothing(tmp_path, kind):
    resource = pytest.importorskip("resource")
    assert resource
    path = tmp_path / "i.db"
    fill(path).close()
    refused = 0
    for limit in (1_000, 50_000, 150_000, 400_000, 10_000_000):
        out = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(_FULL), str(path), str(limit), kind],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert out.returncode == 0, out.stderr
        with Index.open(path) as index:
            assert not index.store.damaged()
            if out.stdout.startswith("stored"):
                assert len(names(index)) == 300
            else:
                refused += 1
                assert "cannot write" in out.stdout, out.stdout
                assert names(index) == sorted(s.name for s in SKILLS)
                assert said(index.corpus(), "ocr") == ["pdf-tables"]
    assert 3 <= refused <= 4


_FULL_AT_ONCE = """
    import resource, signal, sys
    import skillret
    from skillret.errors import StoreError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        skillret.Index.open(sys.argv[1], create=True)
    except StoreError as e:
        print(e)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_first_build_on_a_full_disk_says_so_and_can_be_repeated(tmp_path):
    pytest.importorskip("resource")
    path = tmp_path / "i.db"
    for _ in range(2):
        out = subprocess.run(
            [sys.executable, "-B", "-c", textwrap.dedent(_FULL_AT_ONCE), str(path)],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert "the disk is full" in out.stdout, out.stderr
        with pytest.raises(StoreError, match="make one with"):
            Index.open(path)
    fill(path).close()
    with Index.open(path) as index:
        assert names(index) == sorted(s.name for s in SKILLS)
