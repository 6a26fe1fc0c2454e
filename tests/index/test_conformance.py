"""Both stores of this package against what every store must do."""

import pytest
from tests.index.conformance import Conformance

from skillret.index.memory import MemoryStore
from skillret.index.sqlite import SqliteStore


class TestMemory(Conformance):
    @pytest.fixture
    def opener(self):
        stores = iter([MemoryStore()])
        return lambda: next(stores, None)


class TestSqlite(Conformance):
    """As small indexes are: read from the store, and followed by what has changed."""

    @pytest.fixture
    def opener(self, tmp_path):
        return lambda: SqliteStore(tmp_path / "i.db", create=True)


class TestSqliteMapped(TestSqlite):
    """As large ones are: a file of arrays, what came since, and BM25 that goes on from the last."""

    @pytest.fixture(autouse=True, params=[(2, 10**6), (8, 12)], ids=["tail", "anew"])
    def large(self, monkeypatch, request):
        first, tail = request.param
        monkeypatch.setattr("skillret.index.sqlite_arrays.MAP_FROM", first)
        monkeypatch.setattr("skillret.index.sqlite_arrays.LEAST_TAIL", tail)
        monkeypatch.setattr("skillret.index.blocks._SMALL", 4)
