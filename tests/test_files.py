import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.errors import InputError, SkillretError
from skillret.files import expand, fresh_folder, parse_json, replacing, write_text


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5))
def test_json_from_outside_is_read(value):
    import json

    try:
        text = json.dumps(value)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parse_json(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "[" * 101 + "]" * 101,
        "9" * 5000,
        '["\\ud800"]',
        '{"\\uDfff": 1}',
        "NaN",
        "[-Infinity]",
        '{"x": 1e999}',
    ],
)
def test_json_that_could_not_be_kept_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_no_number_is_read_for_what_only_looks_like_one():
    assert parse_json('[1, "NaN"]') == [1, "NaN"]
    for text in ("NaN", "[1, -Infinity]", '{"a": Infinity}'):
        with pytest.raises(ValueError, match="is no number in JSON"):
            parse_json(text)


def test_json_may_be_a_hundred_deep_and_any_width():
    assert parse_json("[" * 100 + "]" * 100)
    assert len(parse_json("[" + "[]," * 5000 + "{}]")) == 5001


def test_half_characters_that_make_a_whole_one_are_read():
    assert parse_json('"\\ud83c\\udf89"') == "🎉"


def test_half_characters_may_be_mended():
    assert parse_json('["cut \\ud83d", "\\ud83c\\udf89"]', mend=True) == ["cut ?", "🎉"]


@given(st.recursive(st.text('\\"/*\na') | st.integers(), st.lists, max_leaves=5))
def test_comments_are_passed_over_where_they_are_taken(value):
    import json

    text = json.dumps(value, indent=1).replace("\n", " // it's \"\n/* \n // */ ")
    assert parse_json(f"/**/{text}// end", comments=True) == value
    with pytest.raises(ValueError):
        parse_json(f"/**/{text}")


def test_a_comma_before_the_end_is_passed_over_with_comments():
    text = '{"a": [1, ",]", /* x */ ], // y\n "b": {"c": ",}",},\n}'
    assert parse_json(text, comments=True) == {"a": [1, ",]"], "b": {"c": ",}"}}
    for wrong in (text, "[,,]", "[1 2,]"):
        with pytest.raises(ValueError):
            parse_json(wrong, comments=wrong != text)


def test_what_nobody_closes_is_read_once():
    for text in ('"', "/*", '"\\', ", "):
        with pytest.raises(ValueError):
            parse_json("/" + text * 500_000, comments=True)
    with pytest.raises(ValueError):
        parse_json("," + " " * 500_000 + "," * 500_000, comments=True)


def test_a_user_without_a_home_is_a_clear_error(home):
    assert expand("~/x") == home / "x"
    for path, reason in (("~nobody-of-that-name/x", "no such user"), ("a\0b", "NUL")):
        with pytest.raises(InputError, match=reason):
            expand(path)


def test_a_file_is_complete_or_what_it_was(tmp_path):
    file = tmp_path / "new" / "file.txt"
    write_text(file, "first")
    with pytest.raises(RuntimeError), replacing(file) as out:
        out.write(b"half")
        raise RuntimeError
    assert file.read_text() == "first"
    assert list(file.parent.iterdir()) == [file]
    with pytest.raises(SkillretError, match="cannot write"):
        write_text(file / "below", "x")


def test_links_and_devices_stay_what_they_are(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "through")
    assert os.read(reader, 99) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_private_file_stays_private(tmp_path):
    file = tmp_path / "private"
    file.write_text("old")
    file.chmod(0o600)
    write_text(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "fresh", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o640


def test_any_name_that_the_system_takes_can_be_written(tmp_path):
    file = tmp_path / ("長" * 82)
    write_text(file, "x")
    assert file.read_text() == "x"


def test_a_file_in_a_folder_that_takes_no_others_is_written_in_place(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    write_text(file, "new")
    assert file.read_text() == "new"


def test_a_file_that_is_mounted_is_written_in_place(tmp_path, monkeypatch):
    def busy(*_):
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(Path, "replace", busy)
    file = tmp_path / "folder" / "file"
    file.parent.mkdir()
    file.write_text("a longer old text")
    write_text(file, "new")
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]


def test_many_threads_write_one_file(tmp_path):
    file = tmp_path / "folder" / "file"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write_text(file, f"{i}" * 1000), range(100)))
    assert len(set(file.read_text())) <= 3
    assert list(file.parent.iterdir()) == [file]


def test_pipes_by_number_are_written_to(tmp_path):
    reader, writer = os.pipe()
    write_text(Path(f"/dev/fd/{writer}"), "through")
    os.close(writer)
    assert os.read(reader, 99) == b"through"
    os.close(reader)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_could_not_be_filled_is_left_as_it_was(tmp_path, there):
    folder = tmp_path / "above" / "folder"
    if there:
        folder.mkdir(parents=True)
    with pytest.raises(RuntimeError), fresh_folder(folder):
        (folder / "data").mkdir()
        (folder / "data" / "file").write_text("x")
        (folder / "other").write_text("x")
        raise RuntimeError
    assert folder.exists() == there
    assert folder.parent.exists() == there
    assert not there or not list(folder.iterdir())
    with fresh_folder(folder):
        (folder / "file").write_text("x")
    for busy in (folder, folder / "file"):
        with pytest.raises(InputError, match=r"not empty|is a file"), fresh_folder(busy):
            pass
    assert (folder / "file").read_text() == "x"
