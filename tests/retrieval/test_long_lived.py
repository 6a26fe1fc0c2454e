"""A retriever that lives long: batches, filters, folders that change, closing under way."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.conftest import SKILLS, HashEncoder, fill, make_skill, write_skill

from skillret import Index, Retriever
from skillret.errors import InputError, StoreError
from skillret.retrieval import retriever as module

TEAMS = {"pdf-tables": "office", "meal-planner": "home", "release-notes": "code"}


@pytest.fixture
def retriever():
    """Over four skills with metadata, in memory."""
    index = Index.in_memory(model=HashEncoder())
    index.add(
        make_skill(s.name, s.description, s.body, metadata={"team": TEAMS.get(s.name, "code")})
        for s in SKILLS
    )
    with Retriever(index) as retriever:
        yield retriever


@pytest.fixture
def opened(library):
    """Over a folder, and it looks into it at every search."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LOOK", 0)
        patch.setattr(module, "_SHARE_OF_TIME", 0)
        with Retriever.open(library=library, model=HashEncoder()) as retriever:
            yield retriever


def names(hits):
    return [h.name for h in hits]


@pytest.mark.parametrize("mode", ["lexical", "dense"])
def test_a_selection_needs_the_hybrid_mode(mode):
    with (
        Retriever(Index.in_memory(model=HashEncoder()), mode=mode) as retriever,
        pytest.raises(InputError, match=f"^a selection works in hybrid mode, not in {mode}$"),
    ):
        retriever.select("pods")


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_batch_is_its_single_searches(retriever, mode):
    queries = [*(s.description for s in SKILLS), "zebra", "pods. Meals and lists for a week."]
    together = retriever.search_batch(queries, 3, mode=mode, where={"team": ["code", "home"]})
    assert len(together) == len(queries)
    for query, hits in zip(queries, together, strict=True):
        alone = retriever.search(query, 3, mode=mode, where={"team": ["code", "home"]})
        assert names(hits) == names(alone)
        assert [h.score for h in hits] == pytest.approx([h.score for h in alone], abs=1e-6)
    assert retriever.search_batch([]) == []
    with pytest.raises(InputError, match="give a list of queries"):
        retriever.search_batch("pods")
    with pytest.raises(InputError, match="query is empty"):
        retriever.search_batch(["pods", ""])


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_filter_is_applied_before_the_ranking(retriever, mode):
    query = SKILLS[0].description
    assert names(retriever.search(query, k=1, mode=mode)) == ["pdf-tables"]
    (hit,) = retriever.search(f"{query} release", k=1, mode=mode, where={"team": "code"})
    assert hit.name == "release-notes"
    assert hit.metadata == {"team": "code"}
    assert retriever.search(query, mode=mode, where={"team": "none"}) == []
    assert retriever.search(query, mode=mode, where={"team": []}) == []
    if mode == "hybrid":
        assert names(retriever.select(query, where={"team": "home"})) == ["meal-planner"]
        assert retriever.select(query, where={"team": "none"}).abstained


@pytest.mark.parametrize(
    "where", ["team=code", [("team", "code")], {1: "x"}, {"team": {"a": 1}}, {"team": [None]}]
)
def test_what_is_no_filter_is_refused(retriever, where):
    for ask in (retriever.search, retriever.select):
        with pytest.raises(InputError, match="where takes names of metadata"):
            ask("pods", where=where)


def test_folders_that_change_are_seen_by_the_next_search(opened, library):
    assert "meal-planner" in names(opened.search("taxes", k=9))
    write_skill(library, "tax-return", "Fill in a tax return.")
    (library / "meal-planner" / "SKILL.md").unlink()
    write_skill(library, "pdf-tables", "Ride a unicycle to the moon.")
    hits = opened.search("ride a unicycle", k=9)
    assert sorted(names(hits)) == [
        "kubernetes-debugging",
        "pdf-tables",
        "release-notes",
        "tax-return",
    ]
    assert hits[0].description == "Ride a unicycle to the moon."
    write_skill(library, "knitting", "Knit a scarf.")
    assert "knitting" in names(opened.select("knitting"))
    write_skill(library, "baking", "Bake a cake.")
    assert names(opened.search_batch(["bake a cake"], 1)[0]) == ["baking"]


def test_usual_places_that_come_into_being_are_seen(tmp_path, monkeypatch, home):
    monkeypatch.setattr(module, "_LOOK", 0)
    monkeypatch.setattr(module, "_SHARE_OF_TIME", 0)
    project = tmp_path / "project"
    write_skill(project / ".claude" / "skills", "pods", "Find out why pods crash.")
    monkeypatch.chdir(project)
    with Retriever.open(model=HashEncoder()) as retriever:
        assert names(retriever.search("knit", k=9)) == ["pods"]
        write_skill(home / ".agents" / "skills", "knitting", "Knit a scarf.")
        assert names(retriever.search("knit", k=9)) == ["knitting", "pods"]


def test_folders_are_not_looked_into_more_often_than_now_and_then(library):
    with Retriever.open(library=library, model=HashEncoder()) as retriever:
        write_skill(library, "tax-return", "Fill in a tax return.")
        for _ in range(3):
            assert "tax-return" not in names(retriever.search("tax return", k=9))
        report = retriever.refresh()
        assert (report.added, report.encoded) == (1, 1)
        assert "tax-return" in names(retriever.search("tax return", k=9))
        assert retriever.refresh() is None


def test_without_folders_a_refresh_takes_up_what_others_wrote(tmp_path, encoder):
    path = tmp_path / "i.db"
    with Retriever(fill(path, encoder=encoder)) as retriever:
        first = retriever.searcher()
        assert retriever.refresh() is None
        assert retriever.searcher() is first
        with Index.open(path, model=encoder) as writer:
            writer.add([make_skill("knitting", "Knit a scarf.")])
        assert retriever.refresh() is None
        assert len(retriever.searcher().corpus) == 5
        assert len(first.corpus) == 4  # a generation never changes


def test_folders_that_are_gone_stop_no_search_but_a_refresh(opened, library):
    said = []
    opened._tell = said.append
    library.rename(library.with_name("gone"))
    assert names(opened.search("why do pods crash", k=1)) == ["kubernetes-debugging"]
    assert said == [f"searching the index as it is: no such folder: {library}"]
    with pytest.raises(InputError, match="no such folder"):
        opened.refresh()
    library.with_name("gone").rename(library)
    write_skill(library, "knitting", "Knit a scarf.")
    assert "knitting" in names(opened.search("knit", k=9))


def test_a_search_beside_a_look_into_the_folders_does_not_wait(opened, library, monkeypatch):
    looking, go_on = threading.Event(), threading.Event()
    library_of = type(opened._folders).library

    def slow(self):
        looking.set()
        assert go_on.wait(60)
        return library_of(self)

    monkeypatch.setattr(type(opened._folders), "library", slow)
    write_skill(library, "knitting", "Knit a scarf.")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(opened.search, "knit", 9)
        assert looking.wait(60)
        assert len(opened.search("knit", 9)) == 4  # by the generation that there is
        go_on.set()
        assert len(first.result()) == 5


@pytest.mark.parametrize("stored", [True, False])
def test_close_beside_searches_ends_them_with_an_answer_or_one_clear_error(tmp_path, stored):
    encoder = HashEncoder()
    for number in range(5):
        if stored:
            index = fill(tmp_path / f"{number}.db", encoder=encoder)
        else:
            index = Index.in_memory(model=encoder)
            index.add(SKILLS)
        retriever = Retriever(index)
        expected = retriever.search("why do pods crash")
        started = threading.Barrier(5)

        def search(retriever=retriever, started=started):
            started.wait()
            answers = []
            for _ in range(40):
                try:
                    answers.append(retriever.search("why do pods crash"))
                except StoreError as e:
                    assert "is closed; open it again" in str(e)
                    return answers, True
            return answers, False

        with ThreadPoolExecutor(4) as pool:
            searches = [pool.submit(search) for _ in range(4)]
            started.wait()
            retriever.close()
            results = [s.result() for s in searches]
        assert all(answer == expected for answers, _ in results for answer in answers)
        if stored:
            with pytest.raises(StoreError, match="is closed"):
                retriever.search("pods")


def test_an_index_edited_by_hand_is_brought_back_by_the_next_look(library):
    with Retriever.open(library=library, model=HashEncoder()) as retriever:
        retriever.index.add([make_skill("by-hand", "Added by hand.")])
        assert "by-hand" in names(retriever.search("added by hand", k=9))
        assert retriever.refresh().removed == 1
        assert "by-hand" not in names(retriever.search("added by hand", k=9))


def test_a_look_that_fails_in_an_unknown_way_is_not_the_last_one(opened, library, monkeypatch):
    with monkeypatch.context() as patch:

        def broken(self):
            raise MemoryError

        patch.setattr(type(opened._folders), "library", broken)
        with pytest.raises(MemoryError):
            opened.search("knit")
    write_skill(library, "knitting", "Knit a scarf.")
    assert "knitting" in names(opened.search("knit", k=9))
