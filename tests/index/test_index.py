"""The index, in a file and in memory: what is encoded when, and what every change leaves."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import SKILLS, HashEncoder, fill, make_skill
from tests.index.tools import SOURCES, keys_of, names, said

from skillret import Index, Retriever
from skillret.errors import EncoderMismatchError, InputError, StoreError
from skillret.index import Sources

DEEP: list = []
for _ in range(5000):
    DEEP = [DEEP]
NAMES = sorted(s.name for s in SKILLS)


@pytest.fixture(params=["file", "memory"])
def make(request, tmp_path):
    """Makes an index of some skills and closes it in the end."""
    opened = []

    def make(skills=SKILLS, encoder=None):
        model = encoder or HashEncoder()
        if request.param == "file":
            index = Index.open(tmp_path / f"{len(opened)}.db", create=True, model=model)
        else:
            index = Index.in_memory(model=model)
        opened.append(index)
        if skills:
            index.update(skills, sources=SOURCES)
        return index

    yield make
    for index in opened:
        index.close()


def test_vectors_and_terms_of_all_skills_are_there(make, encoder):
    index = make(encoder=encoder)
    corpus = index.corpus()
    assert names(index) == NAMES
    expected = encoder.encode_queries([f"{s.name} | {s.description} | {s.body}" for s in SKILLS])
    keys = np.array(keys_of(corpus))
    order = [r.name for _, r in sorted(corpus.records(keys.tolist()).items())]
    rows = [[s.name for s in SKILLS].index(n) for n in order]
    np.testing.assert_allclose(corpus.vectors(keys), expected[rows], atol=1e-3)
    assert corpus.vectors(keys).dtype == np.float32
    for skill in SKILLS:
        assert said(corpus, skill.name)[0] == skill.name


def test_only_what_changed_is_encoded(make, encoder, changed):
    index = make(encoder=encoder)
    generation = index.info().generation
    encoder.encoded.clear()

    report = index.update(SKILLS, sources=SOURCES)
    assert (report.encoded, report.unchanged, report.dirty) == (0, 4, False)
    assert index.info().generation == generation

    report = index.update([changed(SKILLS[0]), *SKILLS[1:]], sources=SOURCES)
    assert (report.changed, report.encoded, report.unchanged) == (1, 1, 3)
    assert [d.split(" | ")[::2] for d in encoder.encoded] == [
        ["pdf-tables", "Something else entirely."]
    ]

    moved = [replace(SKILLS[1], id="moved", path="/elsewhere"), *SKILLS[2:]]
    report = index.update(moved, sources=SOURCES)
    assert (report.added, report.removed, report.encoded) == (1, 2, 0)
    assert names(index) == ["kubernetes-debugging", "meal-planner", "release-notes"]


def test_a_new_place_costs_no_new_row(make, encoder):
    index = make(encoder=encoder)
    keys = keys_of(index.corpus())
    encoder.encoded.clear()
    elsewhere = replace(SKILLS[0], path="/b/SKILL.md", aliases=("/c",), shadowed_by="/d")
    report = index.update([elsewhere, *SKILLS[1:]], sources=SOURCES)
    assert (report.changed, report.unchanged, encoder.encoded) == (1, 3, [])
    assert keys_of(index.corpus()) == keys
    record = index.corpus().records(keys)[keys[0]]
    assert (record.path, record.aliases, record.shadowed_by) == ("/b/SKILL.md", ("/c",), "/d")
    assert index.get("pdf-tables") == elsewhere


def test_the_bm25_index_follows_every_change(make, changed):
    index = make()
    assert said(index.corpus(), "ocr") == ["pdf-tables"]
    index.update([changed(SKILLS[0], "zebra"), *SKILLS[1:]], sources=SOURCES)
    assert said(index.corpus(), "ocr") == []
    assert said(index.corpus(), "zebra") == ["pdf-tables"]
    index.update(SKILLS[1:], sources=SOURCES)
    assert said(index.corpus(), "zebra spreadsheet") == []


def test_a_skill_can_be_removed_and_comes_back_with_an_update(make):
    index = make()
    assert index.remove(["pdf-tables", "unknown", "pdf-tables"]) == 1
    assert "pdf-tables" not in names(index)
    assert index.remove("meal-planner") == 1
    generation = index.info().generation
    assert index.remove(["unknown"]) == index.remove([]) == 0
    assert index.info().generation == generation
    assert index.update(SKILLS, sources=SOURCES).added == 2


def test_skills_are_added_and_replaced_by_their_id_and_the_others_stay(make, encoder, changed):
    index = make(SKILLS[:2], encoder)
    encoder.encoded.clear()
    report = index.add([SKILLS[2], changed(SKILLS[0])])
    assert (report.total, report.added, report.changed, report.unchanged) == (3, 1, 1, 1)
    assert report.encoded == len(encoder.encoded) == 2
    assert names(index) == sorted(s.name for s in SKILLS[:3])
    assert index.get("pdf-tables") == changed(SKILLS[0])
    assert index.get("kubernetes-debugging") == SKILLS[1]
    assert index.get("unknown") is None
    again = index.add([SKILLS[2]])
    assert (again.total, again.unchanged, again.dirty, again.encoded) == (3, 3, False, 0)


def test_a_search_after_add_sees_it(make):
    index = make([])
    with Retriever(index) as retriever:
        assert retriever.search("pods") == []
        index.add(SKILLS[:1])
        assert [hit.name for hit in retriever.search("pods")] == ["pdf-tables"]
        index.add([SKILLS[1]])
        assert retriever.search("find out why pods crash")[0].name == "kubernetes-debugging"
        assert len(retriever.search("find out why pods crash")) == 2
        index.remove("kubernetes-debugging")
        assert [hit.name for hit in retriever.search("find out why pods crash")] == ["pdf-tables"]


def test_skills_come_whole_and_in_the_order_in_which_they_were_added(make, changed):
    index = make(SKILLS[:3])
    index.add([SKILLS[3], changed(SKILLS[1])])
    expected = [SKILLS[0], SKILLS[2], SKILLS[3], changed(SKILLS[1])]
    assert list(index.skills()) == expected


def test_what_no_index_keeps_is_no_change(make):
    index = make()
    assert not index.update([replace(s, extra={"x": 1}) for s in SKILLS], sources=SOURCES).dirty
    assert index.get(SKILLS[0].id).extra == {}


def test_an_empty_index_is_one_too(make):
    index = make([])
    assert (len(index), bool(index), list(index.skills())) == (0, True, [])
    assert len(index.corpus()) == 0
    assert index.corpus().profile is None
    with pytest.raises(StoreError, match="has not finished"):
        index.check_built()
    index.add([])
    index.update([])
    assert index.info().generation > 0
    assert index.info().skills == 0
    index.check_built()


def test_an_index_needs_no_sources(make):
    index = make([])
    index.add(SKILLS)
    info = index.info()
    assert (info.sources, info.fingerprint, info.skills) == ({}, "", 4)
    assert not Sources.from_info(info)
    index.update(SKILLS[:2])
    assert not Sources.from_info(index.info())
    assert names(index) == sorted(s.name for s in SKILLS[:2])


def test_the_sources_stay_when_a_skill_is_added_and_are_looked_at_again(make):
    index = make()
    index.update(SKILLS, sources=SOURCES, fingerprint="f")
    assert index.info().fingerprint == "f"
    index.add([make_skill("new")])
    assert Sources.from_info(index.info()) == SOURCES
    assert index.info().fingerprint == ""


def test_new_sources_of_the_same_skills_change_no_generation(make):
    index = make()
    generation = index.info().generation
    index.update(SKILLS, sources=Sources(dataset="other"), fingerprint="g")
    assert Sources.from_info(index.info()) == Sources(dataset="other")
    assert (index.info().fingerprint, index.info().generation) == ("g", generation)


@pytest.mark.parametrize("how", ["add", "update"])
def test_two_skills_of_one_id_and_a_skill_of_none_are_refused(make, how):
    index = make([])
    with pytest.raises(InputError, match="'a'"):
        getattr(index, how)([make_skill("a"), make_skill("a")])
    with pytest.raises(InputError, match=r"'a' has no id"):
        getattr(index, how)([make_skill("a", id="")])
    assert len(index) == 0


def test_two_skills_of_one_text_are_two(make):
    index = make([make_skill("same", "x", "y", id=i) for i in ("1", "2")])
    assert names(index) == ["same", "same"]
    index.remove("1")
    assert index.get("2").id == "2"


@pytest.mark.parametrize("field", ["id", "name", "description", "body", "path", "shadowed_by"])
def test_half_a_character_is_refused_with_the_name_of_the_skill(make, field):
    skill = replace(SKILLS[0], **{field: "pdf-\ud800"})
    index = make([])
    with pytest.raises(InputError, match=r"the skill 'pdf-.*lone surrogate"):
        index.update([skill, *SKILLS[1:]], sources=SOURCES)


def test_metadata_is_kept_and_searches_are_narrowed_by_it(make, encoder):
    metadata = [{"tag": "office"}, {"tag": ["ops", "cloud"], "level": 2, "x": {"y": None}}, {}, {}]
    skills = [replace(s, metadata=m) for s, m in zip(SKILLS, metadata, strict=True)]
    index = make(skills, encoder)
    for skill in skills:
        assert index.get(skill.id).metadata == skill.metadata
    corpus = index.corpus()
    assert [r.metadata for _, r in sorted(corpus.records(keys_of(corpus)).items())] == metadata
    retriever = Retriever(index)
    for mode in ("hybrid", "dense", "lexical"):
        hits = retriever.search("pods, PDF tables, meals", 9, mode=mode, where={"tag": "ops"})
        assert [(h.name, h.metadata) for h in hits] == [("kubernetes-debugging", metadata[1])]
        both = {"tag": ["ops", "office"]}
        assert len(retriever.search("pods, PDF tables, meals", 9, mode=mode, where=both)) == 2
        assert retriever.search("pods, PDF", mode=mode, where={"tag": "ops", "level": 3}) == []
    # New metadata is a new row, and no new vector.
    encoder.encoded.clear()
    report = index.add([replace(skills[1], metadata={"tag": "home"})])
    assert (report.changed, encoder.encoded) == (1, [])
    assert said(index.corpus(), "pods", {"tag": "ops"}) == []
    assert said(index.corpus(), "pods", {"tag": "home"}) == ["kubernetes-debugging"]


@pytest.mark.parametrize(
    "value",
    [float("nan"), {1, 2}, object(), b"x", "\ud800", {"\ud800": 1}, 10**5000, DEEP, {1: 2, "1": 3}],
    ids=["nan", "set", "object", "bytes", "half", "half key", "long", "deep", "keys"],
)
def test_metadata_that_is_no_json_is_refused_with_the_name_of_the_skill(make, value):
    index = make([])
    with pytest.raises(InputError, match=r"the skill 'a'"):
        index.add([make_skill("a", metadata={"tag": value})])
    assert len(index) == 0
    index.add([make_skill("a")])


def test_what_a_caller_does_to_its_metadata_changes_no_index(make):
    metadata = {"tags": ["x"]}
    index = make([make_skill("a", metadata=metadata)])
    metadata["tags"].append("y")
    assert index.get("a").metadata == {"tags": ["x"]}
    (record,) = index.corpus().records(keys_of(index.corpus())).values()
    assert record.metadata == {"tags": ["x"]}


def test_vectors_of_two_encoders_never_mix(tmp_path, encoder):
    other = HashEncoder("other")
    fill(tmp_path / "i.db", encoder=encoder).close()
    with Index.open(tmp_path / "i.db", model=other) as index:
        for attempt in (
            lambda: index.update(SKILLS, sources=SOURCES),
            lambda: index.add(SKILLS[:1]),
            index.check_encoder,
            lambda: Retriever(index),
        ):
            with pytest.raises(EncoderMismatchError, match="skillret index build") as e:
                attempt()
            assert "hash-seed" in str(e.value)
            assert "hash-other" in str(e.value)
        report = index.update(SKILLS, sources=SOURCES, replace_encoder=True)
        assert report.encoded == 4
        index.check_encoder()


@pytest.mark.parametrize("dim", [32, 48])
def test_a_reader_goes_over_to_another_encoder(tmp_path, encoder, dim):
    other = HashEncoder("other", dim)
    with (
        fill(tmp_path / "i.db", encoder=encoder) as reader,
        Index.open(tmp_path / "i.db", model=other) as writer,
    ):
        before = reader.corpus()
        writer.update(SKILLS, replace_encoder=True)
        after = reader.corpus()
        assert (before.profile, after.profile) == (encoder.profile, other.profile)
        assert after.vectors(np.array(keys_of(after))).shape == (4, dim)
        assert before.vectors(np.array(keys_of(before))).shape == (4, 32)
        with pytest.raises(EncoderMismatchError):
            reader.check_encoder(after)


@pytest.mark.parametrize("field", ["template", "document_prompt", "max_document_tokens", "version"])
def test_the_same_weights_used_differently_are_another_encoder(make, field):
    value = {"template": "{body}", "document_prompt": "x", "max_document_tokens": 1, "version": 2}
    encoder = HashEncoder()
    index = make(encoder=encoder)
    encoder.profile = replace(encoder.profile, **{field: value[field]})
    with pytest.raises(EncoderMismatchError):
        index.check_encoder()


def test_an_interrupted_build_goes_on_where_it_was(make, monkeypatch):
    monkeypatch.setattr("skillret.index.index._CHUNK", 2)

    class Interrupted(HashEncoder):
        interrupted = False

        def encode_documents(self, texts, progress=None):
            if len(self.encoded) >= 2 and not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            return super().encode_documents(texts, progress)

    index = make([], Interrupted())
    with pytest.raises(KeyboardInterrupt):
        index.update(SKILLS, sources=SOURCES)
    assert (index.info().skills, index.info().pending) == (0, 2)
    assert index.update(SKILLS, sources=SOURCES).encoded == 2
    assert (index.info().skills, index.info().pending) == (4, 0)


def test_progress_counts_what_is_encoded(make):
    steps = []
    index = make([])
    index.update(SKILLS, progress=lambda done, of: steps.append((done, of)))
    assert steps[-1] == (4, 4)
    index.add([*SKILLS, make_skill("new")], progress=lambda done, of: steps.append((done, of)))
    assert steps[-1] == (1, 1)


def test_a_small_library_scores_the_same_updated_or_built_anew(make):
    """BM25 would go on counting what an update removed or replaced."""
    old = [replace(s, body="Pods, pods and release notes. " * 9) for s in SKILLS]
    gone = [make_skill(f"gone{i}", "pods restart and crash") for i in range(9)]
    index = make(old + gone)
    index.update(SKILLS, sources=SOURCES)
    corpora = index.corpus(), make(SKILLS).corpus()
    updated, built = (c.best(c.terms("why do pods crash"), 9)[1] for c in corpora)
    np.testing.assert_array_equal(updated, built)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_reader_looks_while_a_writer_encodes(make, mode):
    class Looking(HashEncoder):
        def encode_documents(self, texts, progress=None):
            if hasattr(self, "reader"):
                other = threading.Thread(target=self.look)
                other.start()
                other.join(30)
            return super().encode_documents(texts, progress)

        def look(self):
            self.seen = [hit.name for hit in self.reader.search("pods crash", 9, mode=mode)]

    looking = Looking()
    index = make(encoder=looking)
    looking.reader = Retriever(index)
    index.add([make_skill("pods", "pods crash")])
    assert "kubernetes-debugging" in looking.seen
    assert "pods" not in looking.seen
    assert looking.reader.search("pods crash", mode=mode)[0].name == "pods"
