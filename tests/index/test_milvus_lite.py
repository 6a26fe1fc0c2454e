"""The store in Milvus, in a file of Milvus Lite, against what every store must do."""

import pytest
from tests.index.conformance import Conformance

from skillret.index.milvus import open_milvus


class TestMilvusLite(Conformance):
    @pytest.fixture
    def opener(self, tmp_path):
        return lambda: open_milvus(f"milvus-lite:{tmp_path}/i.db", create=True)
