"""The index: what is encoded when, and that every change is all or nothing."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ROOT, SKILLS, HashEncoder, fill, make_skill

from skillret import Index
from skillret.errors import (
    EncoderMismatchError,
    IndexBusyError,
    IndexCorruptError,
    InputError,
    StoreError,
)
from skillret.index import Sources
from skillret.index.cache import Cache

SOURCES = Sources(dataset="test")


def names(index):
    snapshot = index.snapshot()
    records = index.records(snapshot.table.keys.tolist())
    return sorted(r.name for r in records.values())


def test_vectors_and_terms_of_all_skills_are_there(tmp_path, encoder):
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        snapshot = index.snapshot()
        assert names(index) == sorted(s.name for s in SKILLS)
        assert len(snapshot.lexical) == len(SKILLS)
        expected = encoder.encode_queries(
            [f"{s.name} | {s.description} | {s.body}" for s in SKILLS]
        )
        order = [index.records([int(k)])[int(k)].name for k in snapshot.table.keys]
        rows = [[s.name for s in SKILLS].index(n) for n in order]
        np.testing.assert_allclose(snapshot.table.vectors, expected[rows], atol=1e-3)
        assert snapshot.table.vectors.dtype == np.float32


def test_only_what_changed_is_encoded(tmp_path, encoder, changed):
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        generation = index.info().generation
        encoder.encoded.clear()

        report = index.update(SKILLS, encoder, sources=SOURCES)
        assert (report.encoded, report.unchanged, report.dirty) == (0, 4, False)
        assert index.info().generation == generation

        report = index.update([changed(SKILLS[0]), *SKILLS[1:]], encoder, sources=SOURCES)
        assert (report.changed, report.encoded, report.unchanged) == (1, 1, 3)
        assert [d.split(" | ")[::2] for d in encoder.encoded] == [
            ["pdf-tables", "Something else entirely."]
        ]

        moved = [replace(SKILLS[1], id="moved", path="/elsewhere"), *SKILLS[2:]]
        report = index.update(moved, encoder, sources=SOURCES)
        assert (report.added, report.removed, report.encoded) == (1, 2, 0)
        assert names(index) == ["kubernetes-debugging", "meal-planner", "release-notes"]


def test_the_bm25_index_follows_every_change(tmp_path, encoder, changed):
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        assert len(index.snapshot().lexical.search("ocr", 9)[0]) == 1
        index.update([changed(SKILLS[0], "zebra"), *SKILLS[1:]], encoder, sources=SOURCES)
        assert len(index.snapshot().lexical.search("ocr", 9)[0]) == 0
        keys, _ = index.snapshot().lexical.search("zebra", 9)
        assert index.records(keys.tolist())[int(keys[0])].name == "pdf-tables"
        index.update(SKILLS[1:], encoder, sources=SOURCES)
        assert len(index.snapshot().lexical.search("zebra spreadsheet", 9)[0]) == 0


def test_a_skill_can_be_removed_and_comes_back_with_an_update(tmp_path, encoder):
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        assert index.remove(["pdf-tables", "unknown"]) == 1
        assert "pdf-tables" not in names(index)
        assert index.update(SKILLS, encoder, sources=SOURCES).added == 1


def test_two_skills_of_one_id_are_refused(tmp_path, encoder):
    with (
        Index.open(tmp_path / "i.db", create=True) as index,
        pytest.raises(InputError, match="'a'"),
    ):
        index.update([make_skill("a"), make_skill("a")], encoder, sources=SOURCES)


@pytest.mark.parametrize("field", ["id", "name", "description", "body", "path", "shadowed_by"])
def test_half_a_character_is_refused_with_the_name_of_the_skill(tmp_path, encoder, field):
    skill = replace(SKILLS[0], **{field: "pdf-\ud800"})
    with (
        Index.open(tmp_path / "i.db", create=True) as index,
        pytest.raises(InputError, match=r"the skill 'pdf-.*lone surrogate"),
    ):
        index.update([skill, *SKILLS[1:]], encoder, sources=SOURCES)


def test_vectors_of_two_encoders_never_mix(tmp_path, encoder):
    other = HashEncoder("other")
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        for attempt in (index.update, lambda *a, **k: index.check_encoder(other.profile)):
            with pytest.raises(EncoderMismatchError, match="skillret index build") as e:
                attempt(SKILLS, other, sources=SOURCES)
            assert "hash-seed" in str(e.value)
            assert "hash-other" in str(e.value)
        report = index.update(SKILLS, other, sources=SOURCES, replace_encoder=True)
        assert report.encoded == 4
        index.check_encoder(other.profile)


@pytest.mark.parametrize("field", ["template", "document_prompt", "max_document_tokens", "version"])
def test_the_same_weights_used_differently_are_another_encoder(tmp_path, encoder, field):
    value = {"template": "{body}", "document_prompt": "x", "max_document_tokens": 1, "version": 2}
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        changed = replace(encoder.profile, **{field: value[field]})
        with pytest.raises(EncoderMismatchError):
            index.check_encoder(changed)


def test_a_reader_sees_the_next_generation_and_keeps_its_own(tmp_path, encoder, changed):
    with (
        fill(tmp_path / "i.db", encoder=encoder) as writer,
        Index.open(tmp_path / "i.db") as reader,
    ):
        old = reader.snapshot()
        assert reader.snapshot() is old
        writer.update([changed(SKILLS[0], "zebra"), *SKILLS[1:]], encoder, sources=SOURCES)
        assert len(old.lexical.search("ocr", 9)[0]) == 1
        assert len(reader.snapshot().lexical.search("zebra", 9)[0]) == 1


def test_a_reader_works_while_a_writer_is_busy(tmp_path, encoder):
    path = tmp_path / "i.db"

    class Looking(HashEncoder):
        def encode_documents(self, texts, progress=None):
            with Index.open(path) as reader:
                self.seen = names(reader)
            return super().encode_documents(texts, progress)

    looking = Looking()
    with fill(path, encoder=encoder) as index:
        index.update([*SKILLS, make_skill("new")], looking, sources=SOURCES)
    assert looking.seen == sorted(s.name for s in SKILLS)


def test_a_second_writer_gets_a_clear_message(tmp_path, encoder):
    path = tmp_path / "i.db"
    with (
        fill(path, encoder=encoder) as first,
        Index.open(path) as second,
        first.store.writing(),
        pytest.raises(IndexBusyError, match=r"another process is writing .*i\.db"),
    ):
        second.update(SKILLS[1:], encoder, sources=SOURCES, timeout=0)
    with Index.open(path) as second:
        assert second.update(SKILLS[1:], encoder, sources=SOURCES, timeout=0).removed == 1


@pytest.mark.parametrize("damage", ["delete", "empty", "garbage", "foreign"])
def test_a_lost_or_damaged_cache_is_made_anew(tmp_path, encoder, damage):
    path = tmp_path / "i.db"
    fill(path, encoder=encoder).close()
    cache = tmp_path / "i.db.cache"
    if damage == "delete":
        shutil.rmtree(cache)
    elif damage == "foreign":
        with fill(tmp_path / "other.db", SKILLS[:2]):
            pass
        (ours,) = cache.glob("*/bm25*")
        (theirs,) = (tmp_path / "other.db.cache").glob("*/bm25*")
        shutil.rmtree(ours)
        shutil.copytree(theirs, ours)
    else:
        for file in cache.rglob("*"):
            if file.is_file():
                file.write_bytes(b"" if damage == "empty" else b"garbage")
    for _ in range(2):
        with Index.open(path) as index:
            assert len(index.snapshot().lexical.search("ocr", 9)[0]) == 1
            assert len(index.snapshot().lexical) == len(SKILLS)
    with Index.open(path) as index:
        index.update(SKILLS[1:], encoder, sources=SOURCES)
        assert len(index.snapshot().lexical) == len(SKILLS) - 1


def test_many_vectors_are_mapped_by_the_next_process(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("skillret.index.cache._MAP_FROM", 1)
    fill(tmp_path / "i.db", encoder=encoder).close()
    with Index.open(tmp_path / "i.db") as index:
        read = index.snapshot().table
    assert len(list((tmp_path / "i.db.cache").glob("*/vectors.npy"))) == 1
    with Index.open(tmp_path / "i.db") as index:
        monkeypatch.setattr(index.store, "vector_table", None)
        mapped = index.snapshot().table
        np.testing.assert_array_equal(mapped.vectors, read.vectors)
        np.testing.assert_array_equal(mapped.keys, read.keys)
        monkeypatch.undo()
        index.update(SKILLS[1:], encoder, sources=SOURCES)
        assert len(index.snapshot().table.keys) == 3


def test_old_generations_are_cleaned_up(tmp_path, encoder):
    with fill(tmp_path / "i.db", encoder=encoder) as index:
        for number in range(5):
            index.update([*SKILLS, make_skill(f"s{number}")], encoder, sources=SOURCES)
    assert len(list((tmp_path / "i.db.cache").iterdir())) == 2


def test_a_deleted_index_serves_its_readers_to_the_end(tmp_path, encoder):
    path = tmp_path / "i.db"
    with fill(path, encoder=encoder) as index:
        index.snapshot()
        path.unlink()
        shutil.rmtree(tmp_path / "i.db.cache")
        assert names(index) == sorted(s.name for s in SKILLS)


def test_a_replaced_index_is_opened_again(tmp_path, encoder):
    path = tmp_path / "i.db"
    with fill(path, encoder=encoder) as index:
        index.snapshot()
        fill(tmp_path / "new.db", [make_skill("fresh")], encoder).close()
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        (tmp_path / "new.db").replace(path)
        assert names(index) == ["fresh"]


def test_an_interrupted_build_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("skillret.index.index._CHUNK", 2)

    class Interrupted(HashEncoder):
        def encode_documents(self, texts, progress=None):
            if len(self.encoded) >= 2:
                raise KeyboardInterrupt
            return super().encode_documents(texts, progress)

    with Index.open(tmp_path / "i.db", create=True) as index:
        with pytest.raises(KeyboardInterrupt):
            index.update(SKILLS, Interrupted(), sources=SOURCES)
        assert (index.info().skills, index.info().pending) == (0, 2)
        rest = HashEncoder()
        assert index.update(SKILLS, rest, sources=SOURCES).encoded == 2
        assert (index.info().skills, index.info().pending) == (4, 0)


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "%3f.db", "ü.db"])
def test_a_path_may_hold_any_character(tmp_path, name):
    with fill(tmp_path / name) as index:
        assert len(names(index)) == 4
    assert (tmp_path / name).is_file()


# --- files that are no index -----------------------------------------------------------------


def test_no_index_a_folder_and_a_text_file_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(StoreError, match="skillret index build"):
        Index.open(tmp_path / "missing.db")
    with pytest.raises(StoreError, match="is a folder"):
        Index.open(tmp_path)
    file = tmp_path / "text.db"
    file.write_text("I am no database. " * 1000)
    for create in (False, True):
        with pytest.raises(IndexCorruptError, match=r"text\.db is no skillret index; give another"):
            Index.open(file, create=create)
    assert file.read_text().startswith("I am no database.")


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_pipe_and_a_loop_of_links_are_no_place_for_an_index(tmp_path):
    os.mkfifo(tmp_path / "pipe.db")
    (tmp_path / "loop.db").symlink_to("loop.db")
    for create in (False, True):
        with pytest.raises(StoreError, match="no regular file; give another --index"):
            Index.open(tmp_path / "pipe.db", create=create)
        with pytest.raises(StoreError, match=r"loop\.db"):
            Index.open(tmp_path / "loop.db", create=create)


def test_a_cache_that_cannot_be_looked_into_is_passed_by(tmp_path, encoder, monkeypatch):
    fill(tmp_path / "i.db", SKILLS, encoder)

    def closed(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", closed)
    assert Cache(tmp_path / "i.db.cache").open_lexical("0" * 16, 4) is None


def test_another_sqlite_file_is_not_touched(tmp_path):
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE photos (x)")
    db.close()
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(IndexCorruptError, match="no skillret index"):
            Index.open(path, create=create)
    assert path.read_bytes() == before


def test_an_index_of_a_newer_version_is_refused(tmp_path):
    fill(tmp_path / "i.db").close()
    with sqlite3.connect(tmp_path / "i.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match=r"newer skillret \(format 99.*upgrade"):
        Index.open(tmp_path / "i.db")


def test_a_truncated_index_is_refused_or_complete_never_half(tmp_path, encoder):
    skills = [make_skill(f"skill-{i}", body="word " * 300) for i in range(60)]
    path = tmp_path / "i.db"
    fill(path, skills, encoder).close()
    whole = path.read_bytes()
    refused = 0
    for size in [0, 1, 100, 4096, *range(5000, len(whole), len(whole) // 25)]:
        path.write_bytes(whole[:size])
        try:
            with Index.open(path) as index:
                assert len(index.snapshot().table.keys) == 60
                assert len(list(index.store.skills())) == 60
        except StoreError as e:
            refused += 1
            assert "i.db" in str(e)
    assert refused > 20


@pytest.fixture
def public(tmp_path):
    """A folder that another user can reach; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="skillret-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# Permissions mean nothing to root, so the check runs as nobody; all modules are loaded before,
# since nobody may not be allowed to read them.
_AS_NOBODY = """
    import os, sys
    import skillret, skillret.index.index, filelock, tempfile, random
    from skillret.errors import StoreError
    from tests.conftest import HashEncoder, SKILLS, make_skill
    from skillret.index import Sources
    skillret.Index.open(sys.argv[2]).snapshot().lexical.search("x", 1)
    if os.getuid() == 0:
        os.setgid(65534); os.setuid(65534)
    with skillret.Index.open(sys.argv[1]) as index:
        snapshot = index.snapshot()
        print(len(snapshot.table.keys), len(snapshot.lexical.search("ocr", 9)[0]))
        try:
            index.update([make_skill("new")], HashEncoder(), sources=Sources(dataset="test"))
        except StoreError as e:
            print(e, flush=True)
        sys.stdin.readline()
        print(len(index.snapshot().table.keys))
"""


@pytest.mark.parametrize("cache", [True, False])
def test_a_read_only_index_is_searched_and_not_written(public, tmp_path, encoder, cache):
    path = public / "i.db"
    fill(path).close()
    fill(tmp_path / "warm-up.db").close()
    if not cache:
        shutil.rmtree(public / "i.db.cache")
    for file in [public, *public.rglob("*")]:
        file.chmod(0o555 if file.is_dir() else 0o444)
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(_AS_NOBODY),
            str(path),
            str(tmp_path / "warm-up.db"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    # Meanwhile its owner writes it, which the reader has to notice by itself.
    for file in [public, *public.rglob("*")]:
        file.chmod(0o755 if file.is_dir() else 0o644)
    fill(path, [*SKILLS, make_skill("new")], encoder).close()
    out, err = process.communicate("\n")
    assert process.returncode == 0, err
    assert lines[0] == "4 1\n"
    assert "read-only" in lines[1]
    assert out == "5\n"


def test_a_small_library_scores_the_same_updated_or_built_anew(tmp_path, encoder):
    """BM25 would go on counting what an update removed or replaced."""
    old = [replace(s, body="Pods, pods and release notes. " * 9) for s in SKILLS]
    gone = [make_skill(f"gone{i}", "pods restart and crash") for i in range(9)]
    with fill(tmp_path / "a.db", old + gone, encoder) as index:
        index.update(SKILLS, encoder, sources=SOURCES)
        updated = index.snapshot().lexical.search("why do pods crash", 9)[1]
    with fill(tmp_path / "b.db", SKILLS, encoder) as index:
        built = index.snapshot().lexical.search("why do pods crash", 9)[1]
    np.testing.assert_array_equal(updated, built)


def test_an_index_by_two_names_is_one_index(tmp_path, encoder):
    path, link = tmp_path / "i.db", tmp_path / "link.db"
    fill(path, SKILLS[:2], encoder).close()
    link.symlink_to(path)
    with Index.open(link) as index, index.store.writing(), Index.open(path) as other:
        with pytest.raises(IndexBusyError):
            other.update(SKILLS, encoder, sources=SOURCES, timeout=0.1)
        index.update(SKILLS, encoder, sources=SOURCES)
        assert names(other) == sorted(s.name for s in SKILLS)
    assert not (tmp_path / "link.db.cache").exists()
    assert not (tmp_path / "link.db.lock").exists()
