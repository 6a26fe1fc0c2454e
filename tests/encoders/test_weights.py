import json
import os

import pytest

from skillret.encoders import weights
from skillret.encoders.weights import check_weights, hash_weights
from skillret.errors import EncoderError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model folder with a few bytes for weights, old enough to be noted at once."""
    monkeypatch.setattr(weights, "_SETTLED_S", -1e6)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "model.onnx.data").write_bytes(b"weights")
    return folder


@pytest.fixture
def hashed(monkeypatch):
    """The folders that were hashed."""
    folders = []

    def counted(folder, graph):
        folders.append(folder)
        return hash_weights(folder, graph)

    monkeypatch.setattr(weights, "hash_weights", counted)
    return folders


def record(home):
    (found,) = home.rglob("weights.json")
    return found


def test_the_hash_is_that_of_both_files(folder):
    import hashlib

    assert hash_weights(folder) == hashlib.sha256(b"graphweights").hexdigest()
    (folder / "model.onnx.data").unlink()
    assert hash_weights(folder) == hashlib.sha256(b"graph").hexdigest()


def test_weights_are_hashed_once(folder, hashed):
    right = hash_weights(folder)
    assert [check_weights(folder, right) for _ in range(3)] == [right] * 3
    assert len(hashed) == 1


def test_a_file_that_changed_in_any_way_is_hashed_again(folder, hashed):
    right = hash_weights(folder)
    data = folder / "model.onnx.data"
    check_weights(folder, right)
    before = data.stat()
    data.write_bytes(b"WEIGHTS")  # as long, and as old
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(EncoderError, match="not those of its profile"):
        check_weights(folder, right)
    data.unlink()
    with pytest.raises(EncoderError, match="not those of its profile"):
        check_weights(folder, right)
    data.write_bytes(b"weights")
    check_weights(folder, right)
    assert len(hashed) == 4


def test_a_profile_that_changed_is_compared_again(folder):
    check_weights(folder, hash_weights(folder))
    for other in ("0" * 64, ""):
        with pytest.raises(EncoderError, match="SHA-256"):
            check_weights(folder, other)


def test_what_was_just_written_is_not_noted(folder, hashed, monkeypatch, home):
    monkeypatch.setattr(weights, "_SETTLED_S", 1e6)
    for _ in range(2):
        check_weights(folder, hash_weights(folder))
    assert len(hashed) == 2
    assert not list(home.rglob("weights.json"))


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"version": 2, "folders": {}}',
        b'{"version": 1, "folders": []}',
        b'{"version": 1, "folders": {"x": 5}}',
        b'{"version": 1, "folders": {"x": {"weights": "", "files": [[1e999]]}}}',
        b'{"version": 1, "folders": {"x": {"weights": "", "files": [["a"]]}}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_record_is_written_anew(folder, hashed, home, damage):
    right = hash_weights(folder)
    check_weights(folder, right)
    record(home).write_bytes(damage)
    check_weights(folder, right)
    check_weights(folder, right)
    assert len(hashed) == 2
    assert list(json.loads(record(home).read_text())["folders"]) == [str(folder)]


def test_a_record_that_cannot_be_written_is_done_without(folder, hashed, home):
    (home / ".cache").write_text("a file where the folder should be")
    right = hash_weights(folder)
    check_weights(folder, right)
    check_weights(folder, right)
    assert len(hashed) == 2


def test_the_record_does_not_grow_for_ever(tmp_path, folder, home, monkeypatch):
    monkeypatch.setattr(weights, "_MOST_NOTES", 2)
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for one in folders:
        one.mkdir()
        (one / "model.onnx").write_bytes(b"graph")
        check_weights(one, hash_weights(one))
    assert list(json.loads(record(home).read_text())["folders"]) == [str(f) for f in folders[1:]]


def test_weights_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(EncoderError, match=r"cannot read the weights .*model\.onnx"):
        check_weights(tmp_path, "")
    with pytest.raises(EncoderError, match=r"cannot read the weights .*model\.onnx"):
        check_weights(tmp_path / "nowhere", "")


def test_weights_of_holes_are_not_hashed(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"graph")
    os.truncate(file, 1 << 40)
    if file.stat().st_blocks > 1000:
        pytest.skip("this file system makes no holes")
    with pytest.raises(EncoderError, match="nearly all holes"):
        check_weights(tmp_path, "0" * 64)
