import sys

import pytest
from tests.conftest import SKILLS, HashEncoder, fill, make_skill

from skillret import Index, Retriever
from skillret.errors import ExtensionError, InputError
from skillret.retrieval.rerank import DEPTH, load_reranker, rerank_scores

QUERY = "find out why pods crash, then write release notes"


class Wanting:
    """Likes documents that hold a word."""

    def __init__(self, word):
        self.word, self.seen = word, []

    def scores(self, query, documents):
        self.seen.append((query, list(documents)))
        return [float(self.word in document) for document in documents]


@pytest.fixture(params=["file", "memory"])
def index(request, tmp_path):
    if request.param == "file":
        return fill(tmp_path / "i.db")
    index = Index.in_memory(model=HashEncoder())
    index.add(SKILLS)
    return index


def test_the_order_is_the_reranker_s_and_the_scores_stay(index):
    plain = Retriever(index).search(QUERY, k=4)
    reranker = Wanting("allergies")  # a word of one body
    hits = Retriever(index, reranker=reranker).search(QUERY, k=4)
    assert hits[0].name == "meal-planner"
    rest = [hit.name for hit in plain if hit.name != "meal-planner"]
    assert [hit.name for hit in hits[1:]] == rest
    assert [hit.score for hit in hits] == [hit.score for hit in plain]
    by_name = {hit.name: hit for hit in plain}
    assert all(hit.dense == by_name[hit.name].dense for hit in hits)
    ((query, documents),) = reranker.seen
    assert query == QUERY
    assert sorted(documents)[0].startswith("kubernetes-debugging | Find out why")


def test_the_best_are_read_however_few_are_wanted(tmp_path):
    skills = [make_skill(f"s{i}", f"pods {i}", "rare" if i == 7 else "") for i in range(30)]
    with fill(tmp_path / "i.db", skills) as index:
        order = [hit.name for hit in Retriever(index).search("pods", k=30)]
        reranker = Wanting("rare")
        (hit,) = Retriever(index, reranker=reranker).search("pods", k=1)
        assert len(reranker.seen[0][1]) == DEPTH
        assert hit.name == ("s7" if "s7" in order[:DEPTH] else order[0])
        many = Retriever(index, reranker=reranker).search("pods", k=30)
        assert [hit.name for hit in many][DEPTH:] == order[DEPTH:]
        dense = Retriever(index, mode="dense", reranker=reranker)
        assert len(dense.search("pods", k=3)) == 3
        assert len(reranker.seen) == 2


def test_what_is_no_reranker_and_what_gives_no_numbers_is_named():
    with pytest.raises(InputError, match="a int is no reranker"):
        load_reranker(5)
    with pytest.raises(InputError, match=r"no reranker 'nobody'; installed packages offer: none"):
        load_reranker("nobody")
    assert load_reranker(None) is None

    class Bad:
        def scores(self, query, documents):
            return [float("nan")] * len(documents)

    with pytest.raises(ExtensionError, match="the reranker Bad gave scores"):
        rerank_scores(Bad(), "x", ["a", "b"])
    assert rerank_scores(Wanting("b"), "x", ["a", "b", "c"]).tolist() == [0, 1, 0]


def test_a_package_offers_one_by_an_entry_point(tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "acme_rerank-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "acme_rerank.py").write_text(
        "class R:\n    def scores(self, query, documents):\n"
        "        return ['release' in d for d in documents]\n"
        "def make(name):\n    return R()\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rerank\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[skillret.rerankers]\nacme = acme_rerank:make\n")
    monkeypatch.syspath_prepend(str(site))
    with fill(tmp_path / "i.db") as index:
        (hit,) = Retriever(index, reranker="acme").search("why do pods crash", k=1)
    assert hit.name == "release-notes"
    sys.modules.pop("acme_rerank", None)
