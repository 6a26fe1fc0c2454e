import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
from tests.conftest import ROOT, SKILLS, HashEncoder, fill, make_skill, name_of, write_skill
from tests.retrieval.test_calibration import make_calibration

from skillret import Index, Library, Retriever, load_encoder
from skillret.errors import EncoderError, EncoderMismatchError, InputError, StoreError
from skillret.index import Sources, default_index_path
from skillret.retrieval.calibration import load_calibration
from skillret.retrieval.query import MAX_QUERY_CHARACTERS
from skillret.retrieval.searcher import Searcher
from skillret.settings import Settings


@pytest.fixture
def retriever(tmp_path, encoder):
    with Retriever(fill(tmp_path / "i.db", encoder=encoder)) as retriever:
        yield retriever


def names(hits):
    return [h.name for h in hits]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_every_mode_finds_the_skill_that_was_asked_for(retriever, mode):
    for skill in SKILLS:
        hits = retriever.search(skill.description, k=3, mode=mode)
        assert hits[0].name == skill.name
        assert [h.rank for h in hits] == list(range(1, len(hits) + 1))
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
        assert (hits[0].dense is None) == (mode == "lexical")
        assert (hits[0].lexical is None) == (mode == "dense")


def test_lexical_returns_only_what_shares_a_word(retriever):
    assert names(retriever.search("commits", k=4, mode="lexical")) == ["release-notes"]
    assert retriever.search("zebra", mode="lexical") == []
    assert len(retriever.search("zebra", k=4)) == 4


def test_k_is_a_maximum_and_at_least_one(retriever):
    assert len(retriever.search("pods", k=10_000)) == 4
    for k in (0, -1):
        with pytest.raises(InputError, match="k must be at least 1"):
            retriever.search("pods", k=k)


@pytest.mark.parametrize("query", ["", "  \n\t"])
def test_an_empty_request_is_refused(retriever, query):
    with pytest.raises(InputError, match="query is empty"):
        retriever.search(query)


@pytest.mark.parametrize(
    "query",
    ["pods " * 20_000, "容器不断重启", "🎉🔥", "caf\udce9 pods", "\0", "((((AND", "a" * 200_000],
)
def test_odd_requests_get_an_answer(retriever, query):
    assert len(retriever.search(query, k=2)) == 2
    assert len(retriever.search(query, k=2, explain=True)) == 2


def test_a_request_is_read_up_to_its_limit(retriever):
    head = "pods " * (MAX_QUERY_CHARACTERS // 5)
    assert retriever.search(head + "commits", mode="lexical") == retriever.search(
        head, mode="lexical"
    )


def test_an_unknown_mode_is_refused(retriever):
    with pytest.raises(InputError, match="unknown mode 'fuzzy'"):
        retriever.search("pods", mode="fuzzy")


def test_an_explanation_names_words_and_the_sentence(retriever):
    query = "My week was long. The pods crash all day. I like tea."
    (hit,) = retriever.search(query, k=1, explain=True)
    assert hit.name == "kubernetes-debugging"
    assert {t for t, _ in hit.explanation.terms} == {"pods", "crash"}
    assert {s for s, _ in hit.explanation.sentences} == {
        "My week was long.",
        "The pods crash all day.",
        "I like tea.",
    }
    (lexical,) = retriever.search(query, k=1, explain=True, mode="lexical")
    assert lexical.explanation.sentences[0][0] == "The pods crash all day."
    (dense,) = retriever.search(query, k=1, explain=True, mode="dense")
    assert dense.explanation.terms == ()


def test_a_skill_removed_during_a_search_is_left_out(tmp_path, encoder, monkeypatch):
    path = tmp_path / "i.db"
    with Retriever(fill(path, encoder=encoder)) as retriever, Index.open(path) as other:
        searcher = retriever.searcher()
        other.remove(["kubernetes-debugging"])
        monkeypatch.setattr(retriever, "searcher", lambda: searcher)
        hits = retriever.search("which pods crash? write release notes", k=4, explain=True)
        assert sorted(names(hits)) == ["meal-planner", "pdf-tables", "release-notes"]
        assert [h.rank for h in hits] == [1, 2, 3]
        (notes,) = (h for h in hits if h.name == "release-notes")
        assert {"release", "notes"} <= {t for t, _ in notes.explanation.terms}
        chosen = retriever.select("which pods crash? write release notes")
        assert "kubernetes-debugging" not in names(chosen)
        assert [h.rank for h in chosen] == list(range(1, len(chosen) + 1))


def test_equal_scores_come_in_the_order_of_the_index(tmp_path, encoder):
    twins = [make_skill("twin", "Same.", "Same.", id=f"t{i}") for i in range(30)]
    with Retriever(fill(tmp_path / "t.db", twins, encoder)) as retriever:
        for mode in ("dense", "hybrid"):
            assert [h.id for h in retriever.search("same twin", k=7, mode=mode)] == [
                f"t{i}" for i in range(7)
            ]


def test_an_empty_index_answers_with_nothing(tmp_path, encoder):
    with Retriever(Index.open(tmp_path / "e.db", create=True, model=encoder)) as retriever:
        for mode in ("hybrid", "dense", "lexical"):
            assert retriever.search("anything", mode=mode, explain=True) == []
        assert retriever.select("anything").abstained


def test_an_index_of_another_encoder_is_refused(tmp_path, encoder):
    fill(tmp_path / "i.db", encoder=encoder).close()
    with (
        Index.open(tmp_path / "i.db", model=HashEncoder("other")) as index,
        pytest.raises(EncoderMismatchError, match="not with hash-other"),
    ):
        Retriever(index)


def test_a_selection_holds_the_best_and_what_comes_close(retriever):
    selection = retriever.select("release notes from commits")
    assert names(selection.hits)[0] == "release-notes"
    assert not selection.abstained
    assert all(h.score >= 0.6 * selection.hits[0].score for h in selection.hits)


def test_threads_share_a_retriever(retriever):
    queries = [s.description for s in SKILLS] * 10
    expected = [retriever.search(q) for q in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(retriever.search, queries)) == expected


def test_it_follows_a_changed_index(tmp_path, encoder):
    with Retriever(fill(tmp_path / "i.db", encoder=encoder)) as retriever:
        assert "meal-planner" in names(retriever.search("meals", k=4))
        with Index.open(tmp_path / "i.db", model=encoder) as writer:
            writer.update(SKILLS[:3], sources=Sources(dataset="test"))
        assert "meal-planner" not in names(retriever.search("meals", k=4))


# --- Retriever.open, with the packaged encoder ------------------------------------------------


def test_open_builds_refreshes_and_says_so(library):
    said = []
    for _ in range(2):
        with Retriever.open(library=library, on_update=said.append) as retriever:
            assert retriever.search("which pods crash?", k=1)[0].name == "kubernetes-debugging"
    assert ["building" in s for s in said] == [True, False]
    assert "built" in said[1]
    said.clear()
    write_skill(library, "tax-return", "Fill in a tax return.")
    with Retriever.open(library=library, on_update=said.append) as retriever:
        assert retriever.search("my taxes", k=1)[0].name == "tax-return"
    assert len(said) == 1
    assert "5 skills, 1 added, 0 changed, 0 removed, 1 encoded" in said[0]
    assert "skipped" not in said[0]


def test_a_build_counts_what_was_odd(library):
    said = []
    (library / "broken").mkdir()
    (library / "broken" / "SKILL.md").write_text("nothing")
    write_skill(library / "other", "pdf-tables", "Another.", "Another.")
    Retriever.open(library=library, on_update=said.append).close()
    command = f"skillret index build --verbose --library {library}"
    assert f"(1 skipped, 1 remark: `{command}` lists them)" in said[1]
    said.clear()
    (library / "broken2").mkdir()
    (library / "broken2" / "SKILL.md").write_text("nothing")
    Retriever.open(library=library, on_update=said.append).close()
    assert said == [f"the index is up to date (2 skipped: `{command}` lists them)"]
    said.clear()
    Retriever.open(library=library, on_update=said.append).close()
    assert said == []


@pytest.mark.parametrize("query", [None, 5, ["pods"], b"pods"])
def test_what_is_no_request_is_refused(retriever, query):
    with pytest.raises(InputError, match="a query must be text"):
        retriever.search(query)
    with pytest.raises(InputError, match="a query must be text"):
        retriever.select(query)
    for k in ("a", 2.5, None):
        with pytest.raises(InputError, match="at least 1 and whole"):
            retriever.search("pods", k=k)


def test_a_closed_retriever_says_so(retriever):
    retriever.close()
    with pytest.raises(StoreError, match="is closed; open it again"):
        retriever.search("pods")


def test_a_selection_is_a_collection_of_hits(retriever):
    selection = retriever.select("find out why pods crash")
    assert tuple(selection) == selection.hits
    assert len(selection) == len(selection.hits) > 0


def test_whoever_waits_for_another_build_is_told_so(library, monkeypatch):
    monkeypatch.setattr("skillret.retrieval.refresh._PATIENCE", 0)
    said = []
    with (
        Index.open(default_index_path(Library.open(library), "default"), create=True) as other,
        ExitStack() as lock,
    ):
        lock.enter_context(other.store.writing())

        def tell(message):
            said.append(message)
            if "waiting" in message:
                lock.close()  # the other build is done

        with Retriever.open(library=library, on_update=tell) as retriever:
            assert retriever.search("pods", k=1)[0].name == "kubernetes-debugging"
    assert said[1] == "another process is writing this index; waiting for it"


def test_open_without_any_skill_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"\.agents/skills.*--library"):
        Retriever.open()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "SKILL.md").write_text("nothing")
    with pytest.raises(InputError, match=r"no skills found in .*empty.*1 skipped.*no front matter"):
        Retriever.open(library=tmp_path / "empty")
    with pytest.raises(InputError, match="no skills found"):
        Retriever.open(library=tmp_path / "empty", index=tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_a_named_index_keeps_the_skills_it_was_built_from(library, tmp_path):
    path, other = tmp_path / "team.db", tmp_path / "other"
    write_skill(other, "knitting", "Knit a scarf.")
    Retriever.open(library=library, index=path).close()
    with pytest.raises(InputError, match=r"holds the skills of .*library: search it without"):
        Retriever.open(library=other, index=path)
    with pytest.raises(InputError, match=r"--library .*library --library .*other`"):
        Retriever.open(library=[library, other], index=path)
    with Retriever.open(library=library, index=path) as retriever:
        assert retriever.index.info().skills == 4


def test_an_index_that_nobody_named_is_re_encoded_after_an_upgrade(library):
    found = Library.open(library)
    path = default_index_path(found, "default")
    path.parent.mkdir(parents=True)
    fill(path, found.skills).close()
    with Retriever.open(library=library) as retriever:
        assert retriever.search("crash", k=1)[0].name == "kubernetes-debugging"
    named = library.parent / "named.db"
    fill(named, found.skills).close()
    with pytest.raises(EncoderMismatchError, match="skillret index build"):
        Retriever.open(library=library, index=named)


def test_a_busy_writer_does_not_stop_a_search(library):
    with Retriever.open(library=library) as retriever:
        write_skill(library, "tax-return", "Fill in a tax return.")
        said = []
        with (
            retriever.index.store.writing(),
            Retriever.open(library=library, on_update=said.append) as second,
        ):
            assert second.search("crash", k=1)[0].name == "kubernetes-debugging"
    assert len(said) == 1
    assert said[0].startswith("searching the index as it is: another writer is at work on")


def test_a_search_imports_nothing_heavy(library):
    code = (
        "import sys, skillret\n"
        "r = skillret.Retriever.open(library=sys.argv[1])\n"
        "r.search('pods'); r.close()\n"
        "heavy = {'torch', 'sentence_transformers', 'transformers', 'fastapi', 'mcp',"
        " 'matplotlib', 'pyarrow', 'pymilvus', 'ray', 'huggingface_hub', 'pytrec_eval',"
        " 'numpy.ma'}\n"
        "heavy |= {m for m in sys.modules if m.startswith(('skillret.eval', 'skillret.cal'))}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(library)], check=True, cwd=ROOT)


def test_an_index_that_was_re_encoded_meanwhile_is_refused(tmp_path, encoder):
    path = tmp_path / "i.db"
    for other in (HashEncoder("other"), HashEncoder("wider", dim=48)):
        path.unlink(missing_ok=True)
        with Retriever(fill(path, encoder=encoder)) as retriever:
            assert retriever.search("pods")
            with Index.open(path, model=other) as writer:
                writer.update(SKILLS, replace_encoder=True)
            for _ in range(2):
                with pytest.raises(EncoderMismatchError, match="not with hash-seed"):
                    retriever.search("pods")


@pytest.mark.parametrize("hidden", ["\u200b", "\xad", "\ufe0f", "\u0301", "\ufffd"])
def test_sentences_of_invisible_characters_do_no_harm(hidden):
    query = f"{hidden} {hidden} {hidden}\nturn this scanned PDF into a spreadsheet"
    with Retriever.open(library=ROOT / "examples" / "skills") as retriever:
        assert retriever.search(query)[0].name == "scanned-pdf-to-spreadsheet"


def test_without_a_ranker_need_is_the_largest_cosine_of_all(retriever):
    needs = {retriever.select("red pods at night", limit=n).need for n in (1, 2, 4)}
    best = max(h.dense for h in retriever.search("red pods at night", k=4, mode="dense"))
    assert needs == {best}


def test_building_is_only_said_where_something_is_encoded(library, tmp_path, monkeypatch):
    """The same folder, found in another way: its vectors are known."""
    project = tmp_path / "project"
    (project / ".claude").mkdir(parents=True)
    library.rename(project / ".claude" / "skills")
    monkeypatch.chdir(project)
    said = []
    Retriever.open(library=project / ".claude" / "skills", on_update=said.append).close()
    assert said[0] == "building the index of 4 skills (once; later runs only refresh it)"
    said.clear()
    with Retriever.open(on_update=said.append) as retriever:
        assert len(retriever.search("pods", k=9)) == 4
    assert said == []


def test_an_upgrade_that_encodes_all_anew_is_said_beforehand(library):
    path = default_index_path(Library.open(library), "default")
    path.parent.mkdir(parents=True)
    fill(path, Library.open(library).skills).close()
    said = []
    Retriever.open(library=library, on_update=said.append).close()
    assert said[0].startswith("building the index of 4 skills")
    assert "4 encoded" in said[1]


def test_an_older_scan_does_not_overwrite_a_newer_one(library, tmp_path, monkeypatch):
    monkeypatch.setattr("skillret.retrieval.refresh._PATIENCE", 0)
    path = tmp_path / "i.db"
    with Index.open(path, create=True, model=HashEncoder()) as other, ExitStack() as lock:
        lock.enter_context(other.writing())

        def tell(message):
            if "waiting" in message:  # the folders were read before
                write_skill(library, "meal-planner", "The new text.")
                newer = Library.open(library)
                sources = Sources.of(newer)
                other.update(newer.skills, sources=sources, fingerprint=newer.fingerprint)
                lock.close()

        encoder = HashEncoder()
        with Retriever.open(
            library=library, index=path, model=encoder, on_update=tell
        ) as retriever:
            (hit,) = [h for h in retriever.search("meal", k=9) if h.name == "meal-planner"]
        assert hit.description == "The new text."
        assert encoder.encoded == []


def test_a_calibration_may_be_a_file_or_an_object_of_the_same_encoder(tmp_path, encoder):
    index = Index.in_memory(model=encoder)
    fitted = make_calibration(threshold=0.75)
    fitted.save(tmp_path / "c.json")
    for given in (fitted, tmp_path / "c.json", str(tmp_path / "c.json")):
        assert Retriever(index, calibration=given).policy.threshold == 0.75
    assert Retriever(index).calibration is None
    with pytest.raises(EncoderError, match="fitted for other weights"):
        Retriever(index, calibration=make_calibration(encoder="x"))


def test_what_only_the_user_may_start_takes_no_place_in_a_selection(encoder):
    twin = make_skill("pdf-twin", SKILLS[0].description, SKILLS[0].body)
    index = Index.in_memory(model=encoder)
    index.add([replace(SKILLS[0], user_only=True), twin, *SKILLS[1:]])
    with Retriever(index) as retriever:
        query = "pdf-tables"
        assert retriever.search(query)[0].user_only
        hits = retriever.select(query).hits
        # Nor does it keep out what is like it.
        assert hits[0].name == "pdf-twin"
        assert not any(hit.user_only for hit in hits)


def test_a_library_for_users_alone_gives_an_agent_nothing(encoder):
    index = Index.in_memory(model=encoder)
    index.add([replace(s, user_only=True) for s in SKILLS])
    with Retriever(index) as retriever:
        selection = retriever.select("extract tables from pdf files")
        assert selection.abstained
        assert selection.for_user == ()  # nothing says what fits


def test_settings_hold_for_the_usual_places_and_are_read_nowhere_else(
    library, home, tmp_path, monkeypatch
):
    project = tmp_path / "project"
    (project / ".claude").mkdir(parents=True)
    library.rename(project / ".claude" / "skills")
    (home / "team").mkdir()
    write_skill(home / "team", "tax-return", "Fill in a tax return.")
    monkeypatch.chdir(project)
    own = home / ".config" / "skillret" / "skillret.toml"
    own.parent.mkdir(parents=True)
    own.write_text('roots = ["~/team"]\nhide = ["*-planner", "PDF-tables"]\nthreshold = 0.9\n')
    with Retriever.open() as retriever:
        found = {hit.name for hit in retriever.search("anything", k=9)}
        assert found == {"kubernetes-debugging", "release-notes", "tax-return"}
        assert (retriever.policy.threshold, retriever.policy.limit) == (0.9, 10)
    own.write_text("no TOML")
    with pytest.raises(InputError, match="not valid TOML"):
        Retriever.open()
    folder = project / ".claude" / "skills"
    with Retriever.open(library=folder) as retriever:
        assert len(retriever.search("anything", k=9)) == 4
        assert retriever.policy.threshold not in (0.0, 0.9)
    settings = Settings(hide=("*",), threshold=0.0, limit=2)
    with Retriever.open(library=folder, settings=settings) as retriever:
        assert len(retriever.search("anything", k=9)) == 4
        assert (retriever.policy.threshold, retriever.policy.limit) == (0.0, 2)
    calibration = replace(load_calibration(load_encoder()), threshold=0.7)
    with Retriever.open(library=folder, settings=settings, calibration=calibration) as retriever:
        assert retriever.policy.threshold == 0.7


def test_what_is_near_and_what_fits_are_the_same_as_in_two_searches(library):
    with Retriever.open(library=library) as retriever:
        for query in ("why do my pods crash? plan meals for a week too.", "thanks, that was all"):
            hits, selection = retriever.look_up(query, 1)
            assert hits == retriever.search(query, 1)
            assert selection == retriever.select(query)
            _, selection = retriever.look_up(query, 3, limit=1)
            assert selection == retriever.select(query, limit=1)


def test_what_the_encoder_does_not_read_is_ranked_by_words_and_named(tmp_path):
    for name, description in (("poster", "设计活动海报"), ("invoice", "检查发票的抬头")):
        folder = tmp_path / name
        folder.mkdir()
        text = f"---\nname: {name}\ndescription: {description}\n---\n"
        (folder / "SKILL.md").write_text(text, encoding="utf-8")
    with Retriever.open(index=tmp_path / "index", library=tmp_path) as retriever:
        assert retriever.unread_language("检查发票") == "Chinese"
        assert [hit.name for hit in retriever.select("检查发票")] == ["invoice"]
        assert list(retriever.select("今天天气")) == []


def test_an_explanation_says_what_a_skill_is_not_for():
    with Index.in_memory() as index:
        index.add(
            [
                make_skill("forms", "Fill in PDF forms. Not for turning scans into spreadsheets."),
                make_skill("scans", "Turn scans of tables into spreadsheets."),
            ]
        )
        query = "turning scans into spreadsheets"
        hits = Retriever(index).search(query, explain=True)
        excluded = {hit.name: hit.explanation.excluded for hit in hits}
        assert excluded["forms"] > 0.5
        assert excluded["scans"] == 0
        (*_, dense) = Retriever(index, mode="dense").search(query, explain=True)
        assert dense.explanation.excluded is None
        assert all(-1 <= hit.explanation.tokens <= 1 for hit in hits)
        assert max(hit.explanation.tokens for hit in hits) > 0.5
        assert dense.explanation.tokens is None


def test_a_set_for_one_agent_holds_no_skill_that_another_one_hides():
    skill = make_skill("scale", "Scale recipes for the canteen.")
    hidden = replace(skill, shadowed_by="/home/scale")
    with Index.in_memory() as index:
        index.add([hidden, make_skill("forms", "Fill in PDF forms.")])
        retriever = Retriever(index)
        searcher = retriever.searcher()
        query = "scale a recipe for the canteen"
        assert [name_of(searcher, p.key) for p in searcher.select(query).picked] == ["scale"]
        own = Searcher(searcher.corpus, index.encoder, retriever.calibration, of_agent=True)
        assert not own.select(query).picked
