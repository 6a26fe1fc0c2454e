"""The store in Milvus, on a real server, against what every store must do."""

import itertools

import pytest
from tests.index.conformance import Conformance
from tests.index.milvus_tools import Milvus

from skillret.index.milvus import open_milvus

numbers = itertools.count()


@pytest.fixture(scope="module")
def milvus(tmp_path_factory):
    server = Milvus(tmp_path_factory.mktemp("milvus"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def url(milvus, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return f"{milvus.url}/skills_{next(numbers)}"


class TestMilvusServer(Conformance):
    @pytest.fixture
    def opener(self, url):
        return lambda: open_milvus(url, create=True)

    @pytest.mark.parametrize("seed", range(2))  # a second for each step
    def test_after_changes_at_random_it_answers_as_a_plain_count(self, opener, seed):
        super().test_after_changes_at_random_it_answers_as_a_plain_count(opener, seed)
