"""The store in Milvus on a real server: what every store must do, and what it must survive."""

import itertools
import threading
import time
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.conftest import SKILLS, HashEncoder, make_skill
from tests.index.conformance import Conformance, check_corpus
from tests.index.milvus_tools import Milvus
from tests.index.tools import keys_of, names, said

from skillret import Index, Retriever
from skillret.errors import IndexBusyError, StoreError
from skillret.index.copying import copy_store
from skillret.index.milvus import log, open_milvus, server
from skillret.serving.http.app import Options, create_app
from skillret.serving.libraries import Libraries
from skillret.serving.service import Service

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
    if not milvus.running:
        milvus.start()
    return f"{milvus.url}/skills_{next(numbers)}"


@pytest.fixture
def index(url):
    with Index.open(url, create=True, model=HashEncoder()) as index:
        index.add(SKILLS)
        yield index


class TestMilvusServer(Conformance):
    @pytest.fixture
    def opener(self, url):
        return lambda: open_milvus(url, create=True)

    @pytest.mark.parametrize("seed", range(2))  # a second for each step
    def test_after_changes_at_random_it_answers_as_a_plain_count(self, opener, seed):
        super().test_after_changes_at_random_it_answers_as_a_plain_count(opener, seed)


def until(is_so, seconds=90):
    """Look again and again until something is so.

    Errors of the store count as not yet, and looks of which one is older than the next: a writer's
    change is seen elsewhere a moment later.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            if found := is_so():
                return found
        except (StoreError, AssertionError):
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, "it was not so in time"
        time.sleep(0.1)


# --- faults --------------------------------------------------------------------------------


def test_nothing_acknowledged_is_lost_when_the_server_dies_in_a_bulk_insert(
    milvus, url, monkeypatch
):
    """Killed while rows come in: what was there before is still all there is, and goes on."""
    monkeypatch.setattr(server, "_WRITE", 3.0)
    index = Index.open(url, create=True, model=HashEncoder())
    index.add(SKILLS)
    (key, *_) = keys_of(index.corpus())
    many = [make_skill(f"bulk-{n}", body="word " * 50) for n in range(1200)]
    outcome, inserted = [], threading.Event()
    insert = server.Server.insert

    def inserting(self, collection, rows):
        insert(self, collection, rows)
        if collection != self.values:
            inserted.set()

    monkeypatch.setattr(server.Server, "insert", inserting)

    def add():
        try:
            outcome.append(index.add(many))
        except StoreError as e:
            outcome.append(e)

    writer = threading.Thread(target=add)
    writer.start()
    assert inserted.wait(60)
    milvus.kill()
    writer.join(120)
    (error,) = outcome
    assert isinstance(error, StoreError)
    assert "does not answer; start it" in str(error)
    milvus.start()
    again = Index.open(url, model=HashEncoder())
    until(lambda: names(again) == sorted(s.name for s in SKILLS))
    assert keys_of(again.corpus())[0] == key
    assert again.store.damaged() == set()
    assert again.add(many[:100]).added == 100
    # And what is acknowledged now survives a death at once.
    milvus.kill()
    milvus.start()
    last = Index.open(url, model=HashEncoder())
    until(lambda: len(names(last)) == len(SKILLS) + 100)
    assert last.store.damaged() == set()


def test_a_server_that_is_away_is_503_and_back_again_answers(milvus, index, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_TIMEOUT", 2.0)
    service = Service(Libraries(tmp_path / "served", lambda: Retriever(index)))
    with TestClient(create_app(service, Options()), base_url="http://127.0.0.1:8377") as client:
        ask = lambda: client.post("/v1/search", json={"query": "why do pods crash"})  # noqa: E731
        until(lambda: ask().status_code == 200)
        milvus.kill()
        time.sleep(server._TIMEOUT / 2)  # beyond what a search may reuse of the look before
        start = time.monotonic()
        answer = ask()
        assert time.monotonic() - start < 20
        assert (answer.status_code, answer.json()["error_type"]) == (503, "index_unavailable")
        with pytest.raises(StoreError, match=r"the Milvus server of .* does not answer; start it"):
            Retriever(index).search("why do pods crash")
        milvus.start()
        answer = until(lambda: (a := ask()).status_code == 200 and a)
        assert answer.json()["hits"][0]["name"] == "kubernetes-debugging"


def test_where_no_server_is_there_is_one_error(monkeypatch):
    monkeypatch.setattr(server, "_TIMEOUT", 1.0)
    with pytest.raises(StoreError, match=r"milvus://127\.0\.0\.1:1/x does not answer; start it"):
        Index.open("milvus://127.0.0.1:1/x", create=True)


def test_another_version_and_another_program_are_refused(milvus, url):
    with pytest.raises(StoreError, match=r"no index at milvus://.*make one with"):
        Index.open(url)
    Index.open(url, create=True).close()
    store = open_milvus(url)
    client, name = store._server.client, store._server.values
    client.alter_collection_properties(name, {"skillret.schema": "2"})
    with pytest.raises(StoreError, match=r"made by a newer skillret \(format 2, this one reads 1"):
        Index.open(url)
    client.create_collection(f"other_{name}", dimension=4)
    with pytest.raises(StoreError, match="is not skillret's; give another --index"):
        Index.open(f"{milvus.url}/other_{name.removesuffix('_values')}")


def test_words_read_by_another_version_are_read_anew(index, monkeypatch):
    current = index.store._current()
    index.store._entry = index.store._log.append(replace(current, lexical=1, token="x"), current)
    with pytest.raises(StoreError, match=r"read by another version .*`skillret index build`"):
        index.corpus()
    index.add([make_skill("new")])
    assert said(index.corpus(), "pods") == ["kubernetes-debugging"]


def test_of_two_machines_that_write_at_once_one_comes_through(url, monkeypatch, tmp_path):
    stores = []
    for machine in ("a", "b"):  # locks of one machine are not seen by another
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / machine))
        stores.append(Index.open(url, create=True, model=HashEncoder()))
    one, two = stores
    one.add([make_skill("first")])
    with two.writing():
        assert names(two) == ["first"]
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "a"))
        one.add([make_skill("second")])
        with pytest.raises(IndexBusyError, match="was changed meanwhile; try again"):
            two.add([make_skill("third")])
    until(lambda: names(two) == ["first", "second"])
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "b"))
    two.add([make_skill("third")])
    until(lambda: names(one) == ["first", "second", "third"])
    # A claim to the next number, of a writer that is at it or has died.
    number = two.store._current().number + 1
    two.store._values.put(log.CLAIMS, [(f"claim/{number}/abc", str(time.time()).encode())])
    with pytest.raises(IndexBusyError):
        two.add([make_skill("fourth")])
    monkeypatch.setattr(log, "_STALE", 0.0)
    two.add([make_skill("fourth")])
    assert names(two) == ["first", "fourth", "second", "third"]


def test_rows_that_were_lost_are_told(index):
    store = index.store
    number = store._current().segments[0].id
    store._server.delete(store._current().collection, f"segment == {number}")
    with pytest.raises(StoreError, match="is damaged: it should have 4 rows and has 0"):
        open_milvus(store.address.name).corpus()


def test_rows_that_are_sent_twice_and_out_of_order_count_once(url, monkeypatch):
    """As when an answer is lost and the client asks again."""
    insert = server.Server.insert

    def twice(self, collection, rows):
        insert(self, collection, rows[::-1])
        insert(self, collection, rows)

    monkeypatch.setattr(server.Server, "insert", twice)
    encoder = HashEncoder()
    with Index.open(url, create=True, model=encoder) as index:
        index.add(SKILLS)
        index.add([make_skill("later")])
        index.remove(["later"])
        check_corpus(index.corpus(), list(index.store.skills()), encoder)
        assert names(Index.open(url, model=encoder)) == sorted(s.name for s in SKILLS)
        assert index.store.damaged() == set()


# --- generations ---------------------------------------------------------------------------


def test_a_rebuild_takes_effect_when_the_alias_is_switched(url, index, monkeypatch):
    before, old = index.corpus(), index.store._server.current()
    index.add([make_skill("more")])
    assert index.store._server.current() == old
    larger = HashEncoder("other", dim=48)
    switch = server.Server.switch
    monkeypatch.setattr(server.Server, "switch", lambda *_: (_ for _ in ()).throw(StoreError("x")))
    with Index.open(url, model=larger) as other:
        with pytest.raises(StoreError, match="x"):
            other.update(SKILLS, replace_encoder=True)
        # All of it is written, and nobody sees any of it.
        assert names(Index.open(url, model=HashEncoder())) == sorted(
            [*(s.name for s in SKILLS), "more"]
        )
        monkeypatch.setattr(server.Server, "switch", switch)
        other.update(SKILLS[:3], replace_encoder=True)
        assert other.store._server.current() != old
        assert names(other) == sorted(s.name for s in SKILLS[:3])
        assert other.corpus().profile == larger.profile
    # Whoever is in the middle of a search of the one before comes to its end.
    assert len(keys_of(before)) == len(SKILLS)


def test_what_is_not_current_any_more_is_deleted_after_a_while(index, monkeypatch):
    monkeypatch.setattr("skillret.index.milvus.writing._GRACE", 0.0)
    for number in range(4):
        index.add([make_skill(f"n{number}")])
    entry, own = index.store._current(), index.store._server
    held = {s.id for s in entry.segments} | {number for number, _, _ in entry.left}
    rows = own.query(entry.collection, "pk >= 0", ["segment"], strong=True)
    assert {row["segment"] for row in rows} <= held
    assert len(entry.left) <= 2
    assert names(index) == sorted([*(s.name for s in SKILLS), *(f"n{n}" for n in range(4))])


# --- tenants and metadata ------------------------------------------------------------------


def test_no_request_of_one_tenant_returns_anothers_skills(url):
    """The same ids, names and words: what differs is whose they are."""
    encoder = HashEncoder()
    opened = {}
    for tenant in ("acme", "globex", "initech"):
        index = opened[tenant] = Index.open(f"{url}?tenant={tenant}", create=True, model=encoder)
        shared = [
            make_skill(f"s{n}", f"Pods crash {n}.", metadata={"of": tenant}) for n in range(8)
        ]
        index.update([*shared, make_skill(f"only-{tenant}", "Pods crash here.")])
    opened["acme"].remove(["s0"])
    opened["globex"].add([make_skill("s1", "Changed pods.", metadata={"of": "globex"})])
    assert len(Index.open(f"{url}?tenant=nobody", model=encoder)) == 0
    for tenant, index in opened.items():
        own = {f"s{n}" for n in range(8)} | {f"only-{tenant}"}
        own -= {"s0"} if tenant == "acme" else set()
        assert names(index) == sorted(own)
        assert set(index.store.states()) == own
        retriever = Retriever(index)
        for mode in ("hybrid", "dense", "lexical"):
            hits = retriever.search("why do pods crash", k=50, mode=mode)
            assert {h.id for h in hits} == own
            assert {h.metadata.get("of", tenant) for h in hits} == {tenant}
            for other in opened.keys() - {tenant}:
                assert retriever.search("pods", k=50, mode=mode, where={"of": other}) == []
        assert index.store.known_vectors(encoder.profile, ["0" * 64]) == {}
        foreign = [k for o, i in opened.items() if o != tenant for k in keys_of(i.corpus())]
        assert {r.metadata.get("of", tenant) for r in index.store.records(foreign).values()} <= {
            tenant
        }
    with pytest.raises(StoreError, match=r"has tenants: add \?tenant=NAME"):
        Index.open(url)
    with pytest.raises(StoreError, match="share an encoder: its vectors have 32 dimensions, not 8"):
        Index.open(f"{url}?tenant=new", model=HashEncoder("small", dim=8)).add(SKILLS)


def test_a_collection_without_tenants_has_none(index, url):
    with pytest.raises(StoreError, match="has no tenants"):
        Index.open(f"{url}?tenant=acme")


def test_vectors_may_be_float16_on_the_server(url, monkeypatch):
    """As they are on newer servers."""
    monkeypatch.setattr(server.Server, "_halves", lambda self: True)
    monkeypatch.setattr(server, "_MOST_EXACT", 0)  # this one compares no float16 but in graphs
    encoder = HashEncoder()
    with Index.open(url, create=True, model=encoder) as index:
        index.add(SKILLS)
        check_corpus(index.corpus(), list(index.store.skills()), encoder)
        (hit,) = Retriever(index).search("why do pods crash", k=1)
        assert hit.name == "kubernetes-debugging"


# --- from a file and back ------------------------------------------------------------------


def test_an_index_is_copied_to_a_server_and_back_without_its_encoder(tmp_path, url):
    encoder = HashEncoder()
    with Index.open(tmp_path / "a.db", create=True, model=encoder) as old:
        old.update([replace(s, path=f"/{s.id}/SKILL.md", aliases=("/x",)) for s in SKILLS])
        encoder.encoded.clear()
        with Index.open(url, create=True, model=encoder) as there:
            assert copy_store(old.store, there.store) == len(SKILLS)
            with Index.open(tmp_path / "b.db", create=True, model=encoder) as back:
                copy_store(there.store, back.store)
                assert list(back.skills()) == list(there.skills()) == list(old.skills())
                for query in ("why do pods crash", "tables of a pdf", "zebra"):
                    hits = [Retriever(i).search(query, k=4) for i in (old, there, back)]
                    assert [[h.id for h in found] for found in hits] == [
                        [h.id for h in hits[0]]
                    ] * 3
                    scores = [[h.score for h in found] for found in hits]
                    assert scores[1] == pytest.approx(scores[0], abs=1e-5)
            with pytest.raises(StoreError, match="the index to copy to is not empty"):
                copy_store(old.store, there.store)
        assert encoder.encoded == []
