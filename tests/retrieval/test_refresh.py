"""Bringing an index up to date: what was seen last wins, whoever waited for the lock."""

import json
import threading

import pytest
from tests.conftest import HashEncoder, make_skill, write_skill

from skillret import Index
from skillret.errors import InputError
from skillret.index import IndexInfo, Sources, default_index_path
from skillret.retrieval.refresh import Folders, nothing_found, refresh, usual_library
from skillret.settings import Settings


@pytest.fixture
def folder(tmp_path):
    write_skill(tmp_path / "lib", "a", "old text")
    return tmp_path / "lib"


def description(index):
    return index.get(next(index.skills()).id).description


def test_an_older_scan_never_overwrites_a_newer_one(tmp_path, folder):
    """Whoever waited for the lock stored what he saw before he waited, over what came meanwhile."""
    folders, told = Folders.of([folder]), []
    with Index.open(tmp_path / "i.db", create=True, model=HashEncoder()) as index:
        refresh(index, folders, folders.library(), told.append)
        write_skill(folder, "a", "older text")
        older = folders.library()
        write_skill(folder, "a", "newer text")
        assert refresh(index, folders, folders.library(), told.append).changed == 1
        refresh(index, folders, older, told.append)
        assert description(index) == "newer text"
        assert refresh(index, folders, folders.library(), told.append) is None


def test_who_waits_for_another_writer_looks_again(tmp_path, folder):
    folders = Folders.of([folder])
    waits, done = threading.Event(), []

    def tell(text):
        if "waiting for it" in text:
            waits.set()

    with (
        Index.open(tmp_path / "i.db", create=True, model=HashEncoder()) as index,
        Index.open(tmp_path / "i.db", model=HashEncoder()) as other,
    ):
        library = folders.library()
        waiting = threading.Thread(
            target=lambda: done.append(refresh(other, folders, library, tell))
        )
        with index.writing():
            waiting.start()
            waits.wait()
            write_skill(folder, "a", "newer text")
            current = folders.library()
            index.update(
                current.skills, sources=Sources.of(current), fingerprint=current.fingerprint
            )
        waiting.join()
        assert description(index) == description(other) == "newer text"
        assert not done[0].dirty


def test_what_is_added_while_it_encodes_is_seen_the_next_time(tmp_path, folder):
    folders = Folders.of([folder])

    class Slow(HashEncoder):
        def encode_documents(self, texts, progress=None):
            if not (folder / "b").exists():
                write_skill(folder, "b", "meanwhile")
            return super().encode_documents(texts, progress)

    with Index.open(tmp_path / "i.db", create=True, model=Slow()) as index:
        assert refresh(index, folders, folders.library(), print).total == 1
        assert refresh(index, folders, folders.library(), print).total == 2
        assert refresh(index, folders, folders.library(), print) is None


def test_a_skill_added_by_hand_is_gone_after_the_next_look_at_the_folders(tmp_path, folder):
    """An index of folders holds what they hold."""
    folders = Folders.of([folder])
    with Index.open(tmp_path / "i.db", create=True, model=HashEncoder()) as index:
        refresh(index, folders, folders.library(), print)
        index.add([make_skill("by-hand")])
        assert refresh(index, folders, folders.library(), print).removed == 1


def test_what_settings_say_of_the_usual_places(tmp_path, home, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    write_skill(home / ".claude" / "skills", "of-claude")
    write_skill(home / ".cursor" / "skills", "of-cursor")
    write_skill(tmp_path / "team", "of-team")
    settings = Settings(roots=(tmp_path / "team", tmp_path / "none"), hide=("*-CLAUDE",))
    folders = Folders.of([], settings)
    assert {s.name for s in folders.library()} == {"of-cursor", "of-team"}
    assert {s.name for s in Folders.of([], settings, ["claude"]).library()} == {"of-team"}
    # The folders of an index are read by the same rules when it is brought up to date.
    index = Index.in_memory(model=HashEncoder())
    refresh(index, folders, folders.library(), print)
    sources = Sources.from_info(index.info())
    assert {s.name for s in sources.library()} == {"of-cursor", "of-team"}
    one = Folders.of([], Settings(agents=("claude-code",)))
    assert {s.name for s in one.library()} == {"of-claude"}
    with pytest.raises(InputError, match="not both"):
        Folders.of([home], agents=["claude"])
    # Folders that are given are what someone wants now.
    assert len(Folders.of([home / ".claude" / "skills"], Settings(hide=("*",))).library()) == 1


def test_an_unknown_agent_is_said_with_where_it_is_set(home):
    origins = {"agents": ("skillret.toml",)}
    settings = Settings(agents=("foo",), origins=origins)
    with pytest.raises(InputError, match=r"^skillret\.toml: agents: unknown agent 'foo'"):
        usual_library(settings)
    with pytest.raises(InputError, match=r"^unknown agent 'bar'"):
        usual_library(settings, ["bar"])


def test_nothing_but_left_out_is_named(tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_skill(home / ".claude" / "skills" / ".trash", "old")
    (home / ".claude" / "skills" / "lost").symlink_to("nowhere")
    text = nothing_found(Folders().library())
    assert "skills/lost: a link that leads nowhere" in text
    assert ".trash: a hidden folder is passed over, with 1 skill in it" in text
    (home / ".roo").mkdir()
    (home / ".roo" / "skills").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"no place of Roo.*roo/skills: a link that leads"):
        Folders.of([], agents=["roo"]).library()


def test_a_new_version_of_a_plugin_makes_no_other_index(tmp_path):
    old, new, other = (
        Sources(((str(tmp_path / v), scope),))
        for v, scope in (("1", "plugin:office"), ("2", "plugin:office"), ("2", "plugin:other"))
    )
    paths = [default_index_path(sources, "m") for sources in (old, new, other)]
    assert paths[0] == paths[1] != paths[2]


def test_sources_are_read_as_earlier_versions_wrote_them():
    data = {"roots": [["/x", "user"]], "dataset": None, "split": None}
    sources = Sources.from_info(IndexInfo(1, None, data, "", 1, 0))
    assert sources == Sources((("/x", "user"),))
    assert json.loads(sources.to_json()) == data
