import os

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
    "text", ["", "{", "[" * 100_000, "9" * 5000, '["\\ud800"]', '{"\\uDfff": 1}']
)
def test_json_that_could_not_be_kept_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_half_characters_that_make_a_whole_one_are_read():
    assert parse_json('"\\ud83c\\udf89"') == "🎉"


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


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_could_not_be_filled_is_left_as_it_was(tmp_path, there):
    folder = tmp_path / "folder"
    if there:
        folder.mkdir()
    with pytest.raises(RuntimeError), fresh_folder(folder):
        (folder / "data").mkdir()
        (folder / "data" / "file").write_text("x")
        (folder / "other").write_text("x")
        raise RuntimeError
    assert folder.exists() == there
    assert not there or not list(folder.iterdir())
    with fresh_folder(folder):
        (folder / "file").write_text("x")
    for busy in (folder, folder / "file"):
        with pytest.raises(InputError, match=r"not empty|is a file"), fresh_folder(busy):
            pass
    assert (folder / "file").read_text() == "x"
