"""The store in Milvus, in a file of Milvus Lite, against what every store must do."""

import pytest
from tests.conftest import SKILLS, HashEncoder
from tests.index.conformance import Conformance
from tests.index.tools import names, run

from skillret import Index
from skillret.index.milvus import open_milvus


class TestMilvusLite(Conformance):
    @pytest.fixture
    def opener(self, tmp_path):
        return lambda: open_milvus(f"milvus-lite:{tmp_path}/i.db", create=True)


def test_what_was_written_by_a_process_that_was_killed_is_there(tmp_path):
    """And as long as it lives, another one is told in one line that it has to wait."""
    url = f"milvus-lite:{tmp_path}/i.db"
    script = """
        import sys
        from tests.conftest import SKILLS, HashEncoder
        from skillret import Index
        index = Index.open(sys.argv[1], create=True, model=HashEncoder())
        index.add(SKILLS)
        print("written", flush=True)
        sys.stdin.read()
    """
    writer = run(script, url)
    try:
        assert writer.stdout.readline() == "written\n"
        asks = "from skillret.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
        other = run(asks, "index", "list", "--index", url)
        out, err = other.communicate(timeout=120)
        assert (other.returncode, out) == (1, "")
        assert err.startswith(f"skillret: {url} cannot be opened; one process at a time")
        assert len(err.splitlines()) == 1
    finally:
        writer.kill()
        writer.communicate()
    with Index.open(url, model=HashEncoder()) as index:
        assert names(index) == sorted(s.name for s in SKILLS)
        assert index.store.damaged() == set()
