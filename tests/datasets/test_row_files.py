import gzip
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.datasets import row_files
from skillret.datasets.row_files import (
    MAX_ROW,
    SUFFIXES,
    digest_files,
    read_lines,
    read_rows,
    write_rows,
)
from skillret.errors import DatasetError, SkillretError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# One type for each column, as parquet wants; columns may be missing.
ROW = st.fixed_dictionaries(
    {"id": TEXT.filter(str.strip)},
    optional={
        "text": TEXT,
        "number": st.integers(-(2**63), 2**63 - 1),
        "flag": st.booleans(),
        "list": st.lists(TEXT, max_size=3),
        "map": st.dictionaries(st.sampled_from("abc"), TEXT, min_size=1),
    },
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(rows=st.lists(ROW, max_size=6))
def test_rows_come_back_as_they_were(tmp_path_factory, suffix, rows):
    file = tmp_path_factory.mktemp("rows") / f"dev{suffix}"
    assert write_rows(file, rows) == len(rows)
    assert list(read_rows(file)) == rows
    first = file.read_bytes()
    write_rows(file, rows)
    assert file.read_bytes() == first


def test_a_null_is_a_missing_column_and_dates_are_text(tmp_path):
    import datetime

    file = tmp_path / "a.jsonl"
    file.write_text('\ufeff{"id": 1, "name": null}\n\n', encoding="utf-8")
    assert list(read_rows(file)) == [{"id": 1}]
    write_rows(file, [{"day": datetime.date(2026, 1, 2)}])
    assert list(read_rows(file)) == [{"day": "2026-01-02"}]


def test_half_a_surrogate_pair_does_no_harm(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "a", "query": "cut \\ud83d", "x": "\\ud83d\\ude00"}\n')
    (row,) = read_rows(file)
    assert row == {"id": "a", "query": "cut ?", "x": "\N{GRINNING FACE}"}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b'{"a": 1}\n[2]\n', "line 2: not a JSON object"),
        (b'{"a": 1}\n{"a"\n', "line 2: not JSON"),
        (b"[" * 100_000, r"nested too deeply"),
        (b"\xff\xfa", "is it complete"),
    ],
)
def test_what_is_no_table_is_named_with_its_line(tmp_path, content, match):
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=match):
        list(read_rows(file))


@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_truncated_gzip_is_an_error_wherever_it_was_cut(tmp_path_factory, kept):
    file = tmp_path_factory.mktemp("cut") / "dev.jsonl.gz"
    whole = gzip.compress(b"".join(b'{"id": %d}\n' % i for i in range(500)))
    file.write_bytes(whole[: max(1, int(len(whole) * kept))])
    with pytest.raises(DatasetError, match=r"dev\.jsonl\.gz cannot be read .* is it complete"):
        list(read_rows(file))


def test_a_failed_write_leaves_the_old_file(tmp_path):
    file = tmp_path / "data" / "a.jsonl"
    write_rows(file, [{"a": 1}])

    def rows():
        yield {"a": 2}
        raise DatasetError("broken input")

    with pytest.raises(DatasetError, match="broken input"):
        write_rows(file, rows())
    assert [f.name for f in file.parent.iterdir()] == ["a.jsonl"]
    assert list(read_rows(file)) == [{"a": 1}]
    with pytest.raises(SkillretError, match="cannot write"):
        write_rows(file / "below" / "b.jsonl", [])


@pytest.mark.parametrize("values", [[1, "a"], [2**70], [{}]])
def test_values_that_parquet_cannot_hold_are_named(tmp_path, values):
    with pytest.raises(SkillretError, match=r"is nothing for parquet .* use jsonl"):
        write_rows(tmp_path / "data" / "a.parquet", [{"odd": v} for v in values])
    assert not list((tmp_path / "data").iterdir())


def test_a_table_reads_the_same_whether_written_by_us_or_by_json(tmp_path):
    rows = [{"id": "a", "x": "é\u2028"}]
    (tmp_path / "a.jsonl").write_text(json.dumps(rows[0]) + "\n")
    write_rows(tmp_path / "b.jsonl", rows)
    assert list(read_rows(tmp_path / "a.jsonl")) == list(read_rows(tmp_path / "b.jsonl")) == rows


def bomb(file, rows=1, text=b"a" * 1_000_000, times=1500):
    """Lines of any length, packed to little."""
    with gzip.open(file, "wb", 9) as out:
        for _ in range(rows):
            out.write(b'{"id":"a","name":"n","description":"')
            for _ in range(times):
                out.write(text)
            out.write(b'"}\n')
    return file


def test_a_line_that_fills_the_memory_is_refused_before_it_is_read(tmp_path):
    import tracemalloc

    file = bomb(tmp_path / "dev.jsonl.gz", times=200)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=r"dev\.jsonl\.gz, line 1: longer than 16 million"):
            list(read_rows(file))
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_ROW
    finally:
        tracemalloc.stop()


def test_a_small_file_does_not_grow_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "_ANY_RATIO", 2_000_000)
    file = bomb(tmp_path / "dev.jsonl.gz", rows=100, text=b"a" * 1000, times=50)
    with pytest.raises(DatasetError, match=r"line \d+: it grows to more than 200 times its size"):
        list(read_rows(file))
    monkeypatch.setattr(row_files, "_ANY_RATIO", 200_000_000)
    assert len(list(read_rows(file))) == 100


def test_parquet_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    import pyarrow
    import pyarrow.parquet

    file = tmp_path / "dev.parquet"

    def write(columns):
        pyarrow.parquet.write_table(pyarrow.table(columns), file, compression="zstd")

    write({"id": ["a"], "description": ["a" * (MAX_ROW + 1)]})
    with pytest.raises(DatasetError, match="the column 'description' is longer than 16 million"):
        list(read_rows(file))
    monkeypatch.setattr(row_files, "_ANY_RATIO", 2_000_000)
    write({"id": [str(i) for i in range(100)], "x": ["b" * 100_000 + str(i) for i in range(100)]})
    with pytest.raises(DatasetError, match="grows to more than 200 times its size"):
        list(read_rows(file))
    write({"id": ["a"], "x": [[1] * 20_000]})
    with pytest.raises(DatasetError, match="grows to more than"):
        list(read_rows(file))
    # One text that is repeated is stored once; what counts is what the rows are.
    write({"id": [str(i) for i in range(300)], "x": ["c" * 10_000] * 300})
    with pytest.raises(DatasetError, match=r"row \d+: it grows to more than"):
        list(read_rows(file))
    monkeypatch.setattr(row_files, "_ANY_RATIO", 20_000_000)
    assert sum(len(row["x"]) for row in read_rows(file)) == 3_000_000
    for odd in ([["c" * 1_000_000] * 100], [{"k": ["c" * 1_000_000] * 100}]):
        write({"id": ["a"], "x": odd})
        with pytest.raises(DatasetError, match="row 1: the column 'x' is longer than 16 million"):
            list(read_rows(file))


def test_what_grows_as_objects_is_refused_too(tmp_path, monkeypatch):
    file = tmp_path / "dev.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"x": [' + b"{}," * 1_000_000 + b"1]}\n"))
    with pytest.raises(DatasetError, match="line 1: more than a million values"):
        list(read_rows(file))
    monkeypatch.setattr(row_files, "_ANY_RATIO", 5_000_000)
    file.write_bytes(gzip.compress((b'{"x": [' + b"{}," * 10_000 + b"1]}\n") * 50))
    with pytest.raises(DatasetError, match=r"row \d+: it grows to more than 200 times"):
        list(read_rows(file))


@pytest.mark.parametrize("name", ["dev.jsonl", "dev.jsonl.gz", "dev.parquet"])
def test_a_file_of_holes_is_refused_at_once(tmp_path, name):
    file = tmp_path / name
    write_rows(file, [{"id": "a"}])
    os.truncate(file, 1 << 40)
    if file.stat().st_blocks > 1000:
        pytest.skip("this file system makes no holes")
    for read in (lambda: list(read_rows(file)), lambda: digest_files([file])):
        with pytest.raises(DatasetError, match="nearly all holes"):
            read()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(tmp_path, number):
    file = tmp_path / "a.jsonl"
    file.write_text(f'{{"id": "a"}}\n{{"id": "b", "x": [{number}]}}\n')
    with pytest.raises(DatasetError, match=r"a\.jsonl, line 2: not JSON \(.*number"):
        list(read_rows(file))


def test_what_is_no_number_is_not_written_but_in_parquet_it_is_a_missing_one(tmp_path):
    import pyarrow
    import pyarrow.parquet

    with pytest.raises(SkillretError, match="row 2 holds NaN or an infinite number"):
        write_rows(tmp_path / "a.jsonl", [{"a": 1}, {"a": float("nan")}])
    assert not (tmp_path / "a.jsonl").exists()
    table = pyarrow.table({"a": [1.0, float("nan")], "b": [{"c": float("nan")}, None]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert list(read_rows(tmp_path / "a.parquet")) == [{"a": 1.0, "b": {}}, {}]


def test_lines_end_as_python_s_do(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n\xe2\x80\xa8d")
    assert list(read_lines(file)) == ["a\n", "b\n", "c\n", "\u2028d"]
    assert list(read_lines(file, newline="")) == ["a\r\n", "b\r", "c\n", "\u2028d"]
