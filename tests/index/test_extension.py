"""Stores that another package offers by an entry point."""

import sys

import pytest
from tests.conftest import SKILLS, HashEncoder

from skillret import Index, Retriever
from skillret.errors import ExtensionError, StoreError

ACME = """
from skillret.index.memory import MemoryStore

opened = {}

def store(name, *, create=False):
    return opened.setdefault(name, MemoryStore())

def other(name, *, create=False):
    return object()
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "acme_store-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "acme_store.py").write_text(ACME)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-store\nVersion: 1.2\n")
    points = "[skillret.stores]\nacme = acme_store:store\nbroken = acme_store:other\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("acme_store", None)


def test_a_store_of_another_package_is_opened_by_its_name(acme):
    index = Index.open("acme:team/skills", create=True, model=HashEncoder())
    index.add(SKILLS)
    again = Index.open("acme:team/skills", model=HashEncoder())
    (hit,) = Retriever(again).search("find out why pods crash", k=1)
    assert hit.name == "kubernetes-debugging"
    assert len(Index.open("acme:other", create=True, model=HashEncoder())) == 0


def test_a_broken_one_is_named_and_an_unknown_name_is_a_file(acme, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExtensionError, match=r"acme-store 1\.2 .*returned a object, .*no Store"):
        Index.open("broken:x", create=True)
    with pytest.raises(StoreError, match=r"no index at .*nobody:x"):
        Index.open("nobody:x")
    (tmp_path / "acme:mine.db").touch()
    with Index.open("acme:mine.db", create=True, model=HashEncoder()) as index:
        index.add(SKILLS[:1])
    assert (tmp_path / "acme:mine.db").stat().st_size > 0
