import json
from dataclasses import dataclass

import numpy as np
import pytest
from tests.conftest import write_skill
from tests.training.conftest import toy, write_split

from skillret.datasets.convert import convert
from skillret.datasets.labelled import LabelledQuery, open_split
from skillret.errors import DatasetError, InputError
from skillret.training.prepare import open_train, prepare
from skillret.training.rows import open_pairs, open_tables, write_pairs, write_tables
from skillret.types import Skill


@dataclass
class Listed:
    """A source made of lists."""

    rows: list
    asked: list
    name: str = "listed"
    revision: str = "local"

    def skills(self):
        return iter(self.rows)

    def queries(self):
        return iter(self.asked)


BODIES = ["alpha beta gamma delta epsilon zeta", "one two three four five six", "red green blue"]


def listed(golds, bodies=BODIES, texts=None):
    skills = [Skill(f"s{i}", f"name-{i}", "", body) for i, body in enumerate(bodies)]
    texts = texts or [f"request {i}" for i in range(len(golds))]
    asked = [
        LabelledQuery(f"q{i}", text, tuple(gold), f"row {i}")
        for i, (text, gold) in enumerate(zip(texts, golds, strict=True))
    ]
    return Listed(skills, asked)


DEV = Listed(
    [Skill("d0", "dev", "", "dev skill")], [LabelledQuery("dq", "dev request", ("d0",), "")]
)


def tables_of(source, recipe, folder, dev=DEV):
    write_tables(source, dev, recipe, folder)
    return open_tables(folder)


def test_one_row_for_each_query_and_gold_skill(recipe, tmp_path):
    tables = tables_of(listed([["s0", "s1"], ["s2"]]), recipe(), tmp_path)
    assert tables.pairs.tolist() == [[0, 0], [0, 1], [1, 2]]
    assert tables.facts["pairs"] == 3
    write_pairs(tables, "gold", None, 0)
    rows = open_pairs(tables, 256)[:3]
    assert rows["query"] == ["request 0", "request 0", "request 1"]
    assert rows["skill"][1] == "name-1 |  | one two three four five six"
    assert list(rows) == ["query", "skill", "label"]
    # query, positive, its key, then the keys of the query's gold skills, padded
    assert rows["label"] == [[0, 0, 0, 0, 1], [0, 1, 1, 0, 1], [1, 2, 2, 2, -1]]


def test_texts_end_far_beyond_the_tokens_that_are_read(recipe, tmp_path):
    source = listed([["s0"]], [*BODIES[1:], "word " * 100], ["ask " * 100])
    tables = tables_of(source, recipe(), tmp_path)
    write_pairs(tables, "gold", np.array([[2]]), 0)
    row = open_pairs(tables, 8)[0]
    document = tables.skills[2]["document"]
    assert row["query"] == ("ask " * 100)[:128]
    assert row["negative_1"] == document[:128] != document
    assert row["skill"] == tables.skills[0]["document"]


def test_hard_negatives_are_columns_of_their_own(recipe, tmp_path):
    tables = tables_of(listed([["s0"], ["s1"]]), recipe(), tmp_path)
    write_pairs(tables, "skill", np.array([[1, 2], [2, 0]]), 0)
    rows = open_pairs(tables, 256)[:2]
    assert list(rows) == ["query", "skill", "negative_1", "negative_2", "label"]
    assert rows["negative_2"][0].startswith("name-2")
    assert rows["label"][0] == [0, 0, 1, 2, 0, 1, 2, 0]


def test_a_label_is_never_as_long_as_a_vector(recipe, tmp_path):
    tables = tables_of(listed([["s0"], ["s1"]]), recipe(), tmp_path)
    for avoid in (4, 5):
        write_pairs(tables, "skill", None, avoid)
        assert len(open_pairs(tables, 256)[0]["label"]) != avoid


def test_near_duplicates_share_a_key(recipe, tmp_path):
    body = " ".join(f"w{i}" for i in range(80))
    source = listed([["s0"], ["s1"], ["s2"]], [body, body + " end", "something else entirely"])
    tables = tables_of(source, recipe(), tmp_path)
    assert tables.facts["near_duplicates"] == 1
    write_pairs(tables, "duplicates", None, 0)
    labels = open_pairs(tables, 256)[:3]["label"]
    assert [row[2] for row in labels] == [0, 0, 2]
    write_pairs(tables, "gold", None, 0)
    assert [row[2] for row in open_pairs(tables, 256)[:3]["label"]] == [0, 1, 2]
    write_pairs(tables, "none", None, 0)
    assert all(row[3:] == [-1] for row in open_pairs(tables, 256)[:3]["label"])


def test_requests_of_one_text_share_their_gold_skills(recipe, tmp_path):
    source = listed([["s0"], ["s1"], ["s2"]], texts=["Do it now", "do  it NOW", "else"])
    tables = tables_of(source, recipe(), tmp_path)
    write_pairs(tables, "gold", None, 0)
    assert [row[3:] for row in open_pairs(tables, 256)[:3]["label"]] == [[0, 1], [0, 1], [2, -1]]


def test_max_pairs_draws_the_same_pairs_again(recipe, tmp_path):
    source = listed([["s0", "s1"], ["s2"], ["s0"], ["s1", "s2"]])
    drawn = [
        tables_of(source, recipe(data={"max_pairs": 3}), tmp_path / str(i)).pairs.tolist()
        for i in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3


def test_memory_does_not_grow_with_the_texts(recipe, tmp_path):
    import tracemalloc

    import pyarrow as pa

    words = " ".join(f"x{j}" for j in range(6000))  # 30 kB
    rows = {
        "skills": (
            {"id": f"s{i}", "name": f"n{i}", "skill_md": f"{i} {words}"} for i in range(600)
        ),
        "queries": ({"id": f"q{i}", "query": f"request {i}"} for i in range(600)),
        "qrels": ({"query_id": f"q{i}", "skill_id": f"s{i}"} for i in range(600)),
    }
    source = open_split(write_split(tmp_path / "large", "train", rows), "train")
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    tracemalloc.start()
    try:
        write_tables(source, DEV, recipe(loss={"mask": "skill"}), tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "skills.arrow").stat().st_size > 15_000_000
    assert peak < 15_000_000
    assert pool.bytes_allocated() - before < 1_000_000


def test_gold_skills_that_are_missing_are_counted(recipe, tmp_path):
    message = (
        "listed: 2 gold labels name a skill that is not there, the first is 's9' of query 'q0'"
    )
    with pytest.raises(DatasetError, match=message):
        write_tables(listed([["s0", "s9"], ["s8"]]), DEV, recipe(), tmp_path / "a")
    dev = listed([["s0"], ["s7"]])
    dev.rows[0] = Skill("x", "n", "", "y")
    train = Listed([Skill(f"t{i}", f"n{i}", "", f"b{i}") for i in range(2)], [])
    train.asked = [LabelledQuery("a", "b", ("t0",), "")]
    with pytest.raises(DatasetError, match=r"2 gold labels name a skill .* 's0' of query 'q0'"):
        write_tables(train, dev, recipe(), tmp_path / "b")


def test_queries_without_a_gold_skill_are_left_out_and_counted(recipe, tmp_path):
    tables = tables_of(listed([["s0"], [], ["s1"]]), recipe(), tmp_path)
    assert tables.queries["id"][:] == ["q0", "q2"]
    assert (tables.facts["queries"], tables.facts["unlabelled"]) == (2, 1)
    with pytest.raises(DatasetError, match="listed: no query has a gold skill"):
        write_tables(listed([[], []]), DEV, recipe(), tmp_path / "none")


def test_documents_that_are_all_the_same_are_refused(recipe, tmp_path):
    same = Listed([Skill(f"s{i}", "n", "d", "b") for i in range(3)], [])
    with pytest.raises(DatasetError, match="all 3 skills of listed have the same text"):
        write_tables(same, DEV, recipe(), tmp_path)


def test_one_pair_is_too_few(recipe, tmp_path):
    folder = tmp_path / "set"
    tables = toy(2, 1)
    tables["queries"], tables["qrels"] = tables["queries"][:1], tables["qrels"][:1]
    write_split(folder, "train", tables)
    write_split(folder, "dev", toy(2, 1, 1, "d"))
    with pytest.raises(DatasetError, match="only one pair to train on"):
        prepare(recipe(data={"source": str(folder)}), tmp_path / "t", None, (), "cpu", print)


def test_dev_must_share_no_skill_with_train(recipe, tmp_path):
    with pytest.raises(DatasetError, match="1 skills of the split 'dev' are in 'train' too"):
        write_tables(
            listed([["s0"], ["s1"]]),
            Listed([Skill("s0", "n", "", "x")], [LabelledQuery("q", "t", ("s0",), "")]),
            recipe(),
            tmp_path,
        )


def test_dev_must_share_no_skill_with_test(recipe, tmp_path):
    folder = write_split(tmp_path / "set", "train", toy(6, 1))
    write_split(folder, "dev", toy(3, 1, 1, "d"))
    write_split(folder, "test", toy(3, 1, 1, "d"))
    with pytest.raises(DatasetError, match="3 skills of dev are in the test split too"):
        prepare(recipe(), tmp_path / "t", str(folder), (), "cpu", print)


def test_splits_in_beir_layout_share_skills_but_no_queries(recipe, tmp_path):
    folder = write_split(tmp_path / "set", "train", toy(24, 2))
    convert(folder, tmp_path / "beir", "beir")
    file = tmp_path / "beir" / "qrels" / "train.tsv"
    head, *lines = file.read_text().splitlines(keepends=True)
    file.write_text(head + "".join(lines[:40]))
    (file.parent / "dev.tsv").write_text(head + "".join(lines[40:]))
    given = (str(tmp_path / "beir"), (), "cpu", print)
    made = prepare(recipe(), tmp_path / "t", *given)
    assert (made.facts["skills"], made.facts["queries"], made.facts["data"]) == (24, 40, "beir")
    assert made.facts["dev"]["origin"] == "split dev of beir"
    assert made.facts["dev"]["queries"] == 8
    (file.parent / "dev.tsv").write_text(head + "".join(lines[39:]))
    with pytest.raises(DatasetError, match="1 queries of dev are in the train split too"):
        prepare(recipe(), tmp_path / "u", *given)


def test_incomplete_tables_are_not_opened(tmp_path):
    with pytest.raises(DatasetError, match="holds no complete training tables"):
        open_tables(tmp_path)


@pytest.fixture
def skills(tmp_path):
    folder = tmp_path / "skills"
    for name in ("alpha", "beta", "gamma"):
        write_skill(folder, name, f"About {name}.")
    return folder


def test_a_file_of_queries_and_a_library_are_trained_on(recipe, skills, tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text('query,skill\n"do alpha, please",alpha\ndo both,alpha\ndo both,beta\n')
    train = open_train(recipe(), str(file), [str(skills)])
    assert (train.name, train.split) == ("pairs.csv", "tests")
    assert [(q.text, q.gold) for q in train.queries()] == [
        ("do alpha, please", ("alpha",)),
        ("do both", ("alpha", "beta")),
    ]
    assert len(list(train.skills())) == 3


def test_the_eval_queries_of_libraries(recipe, skills, tmp_path):
    rows = [{"query": "yes", "should_trigger": True}, {"query": "no", "should_trigger": False}]
    (skills / "alpha" / "eval_queries.json").write_text(json.dumps(rows))
    write_skill(tmp_path / "more", "delta")
    (tmp_path / "more" / "delta" / "eval_queries.json").write_text(json.dumps(rows[:1]))
    train = open_train(recipe(), None, [str(skills), str(tmp_path / "more")])
    assert (train.name, train.split) == ("skills, more", "tests")
    assert [(q.text, q.gold) for q in train.queries()] == [("yes", ("alpha", "delta"))]


def test_a_recipe_s_own_file_stays_with_another_library(recipe, skills, tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({"query": "do both", "skills": ["alpha", "gamma"]}) + "\n")
    own = recipe(data={"source": str(file)})
    (query,) = open_train(own, None, [str(skills)]).queries()
    assert query.gold == ("alpha", "gamma")


@pytest.mark.parametrize(
    ("data", "libraries", "error", "message"),
    [
        ("", [], InputError, "no training data"),
        ("./nowhere", [], DatasetError, r"\./nowhere is neither a folder nor a hub id"),
        ("some-set", ["."], InputError, "--library goes with a .csv"),
    ],
)
def test_what_is_no_data_is_named(recipe, data, libraries, error, message):
    with pytest.raises(error, match=message):
        open_train(recipe(), data, libraries)


def test_a_data_set_of_the_hub_is_pinned_to_its_commit(recipe, dataset, tmp_path, monkeypatch):
    (tmp_path / "snapshots").mkdir()
    snapshot = tmp_path / "snapshots" / "0a1b2c"  # the hub's cache names folders by commit
    snapshot.symlink_to(dataset, target_is_directory=True)
    asked = {}

    def snapshot_download(name, **keys):
        asked.update(keys, name=name)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    train = open_train(recipe(), "team/skills@v1", ())
    assert (asked["name"], asked["revision"], asked["repo_type"]) == (
        "team/skills",
        "v1",
        "dataset",
    )
    assert asked["allow_patterns"] == ["data/*/*.*"]
    assert (train.name, train.revision) == ("team/skills", "0a1b2c")
    assert len(list(train.skills())) == 24


def test_a_hub_id_offline_is_one_line(recipe, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DatasetError, match="cannot load no/such@main from the hub") as e:
        open_train(recipe(), "no/such@main", ())
    assert "\n" not in str(e.value)


def test_a_split_that_is_missing_or_without_labels_is_named(recipe, tmp_path):
    folder = str(write_split(tmp_path / "set", "dev", {"skills": toy(2)["skills"]}))
    with pytest.raises(DatasetError, match=r"has no split 'train'; it has: dev"):
        open_train(recipe(), folder, ())
    write_split(tmp_path / "set", "train", {"skills": toy(2)["skills"]})
    with pytest.raises(DatasetError, match="set: no query has a gold skill"):
        prepare(recipe(), tmp_path / "t", folder, (), "cpu", print)
