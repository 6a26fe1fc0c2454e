import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.datasets.tables import (
    SUFFIXES,
    SkillRetFolder,
    find_table,
    parse_label,
    parse_query,
    parse_skill,
    read_rows,
    splits,
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
        (b"\xff\xfe", "is it complete"),
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


def test_what_a_row_needs():
    skill = parse_skill({"id": 0, "name": "n", "body": "b", "skill_md": "s", "major": "x"}, "here")
    assert (skill.id, skill.body, skill.extra) == ("0", "s", {"major": "x"})
    assert parse_skill({"id": "a", "name": "", "body": "b"}, "here").body == "b"
    assert parse_query({"id": 0, "query": "x", "k": 2}, "here").extra == {"k": 2}
    assert parse_label({"query_id": 0, "skill_id": "s", "relevance": 2.0}, "here") == ("0", "s", 2)
    for parse, row, match in [
        (parse_skill, {"name": "n"}, "column 'id' is missing"),
        (parse_skill, {"id": " ", "name": "n"}, "column 'id' is missing"),
        (parse_skill, {"id": "a"}, "column 'name' is missing"),
        (parse_query, {"id": "a", "query": ["x"]}, "column 'query' is missing"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": 0.5}, "whole relevance"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": None}, "whole relevance"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": 1001}, "at most 1000"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": 2**63}, "at most 1000"),
        (parse_label, {"query_id": "q", "skill_id": "s", "relevance": 1e999}, "whole relevance"),
        (parse_label, {"query_id": "q"}, "needs query_id, skill_id"),
    ]:
        with pytest.raises(DatasetError, match=f"^here: .*{match}"):
            parse(row, "here")


def test_splits_are_found_by_their_skills_in_every_format(tmp_path):
    for name in ("b.jsonl", "a.jsonl.gz", "c.parquet", "README.md"):
        write_rows(tmp_path / "data" / "skills" / name, [])
    assert splits(tmp_path) == ["a", "b", "c"]
    assert splits(tmp_path / "nowhere") == []


def test_labels_in_queries_that_are_no_list(tmp_path):
    write_rows(tmp_path / "queries" / "dev.jsonl", [{"id": "q", "query": "x", "skill_ids": "s"}])
    with pytest.raises(DatasetError, match="'skill_ids' is no list"):
        list(SkillRetFolder(tmp_path).rows("qrels", "dev"))


def test_a_table_reads_the_same_whether_written_by_us_or_by_json(tmp_path):
    rows = [{"id": "a", "x": "é\u2028"}]
    (tmp_path / "a.jsonl").write_text(json.dumps(rows[0]) + "\n")
    write_rows(tmp_path / "b.jsonl", rows)
    assert list(read_rows(tmp_path / "a.jsonl")) == list(read_rows(tmp_path / "b.jsonl")) == rows


def test_two_files_of_one_table_are_not_chosen_between(tmp_path):
    base = tmp_path / "data" / "negatives"
    base.mkdir(parents=True)
    (base / "dev.jsonl").touch()
    assert find_table(tmp_path, "negatives", "dev") == base / "dev.jsonl"
    (base / "dev.jsonl.gz").touch()
    with pytest.raises(DatasetError, match=r"holds dev\.\S+ and dev\.\S+: which is meant"):
        find_table(tmp_path, "negatives", "dev")
