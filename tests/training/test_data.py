import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.conftest import write_skill
from tests.training.conftest import toy, write_split

from skillret.errors import DatasetError, InputError
from skillret.training.augment import SECTION, augment
from skillret.training.data import open_pairs, open_tables, write_pairs, write_tables
from skillret.training.prepare import _check_no_test, prepare
from skillret.training.sources import LayoutSource, Request, open_source
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

    def requests(self):
        return iter(self.asked)


BODIES = ["alpha beta gamma delta epsilon zeta", "one two three four five six", "red green blue"]


def listed(golds, bodies=BODIES, texts=None):
    skills = [Skill(f"s{i}", f"name-{i}", "", body) for i, body in enumerate(bodies)]
    texts = texts or [f"request {i}" for i in range(len(golds))]
    asked = [
        Request(f"q{i}", text, tuple(gold), f"row {i}")
        for i, (text, gold) in enumerate(zip(texts, golds, strict=True))
    ]
    return Listed(skills, asked)


DEV = Listed([Skill("d0", "dev", "", "dev skill")], [Request("dq", "dev request", ("d0",), "")])


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


def test_a_dev_split_is_made_by_skill(recipe, tmp_path):
    tables = toy(40, 2)
    for row in tables["qrels"][:20]:  # every second of these queries needs a skill of the next
        tables["qrels"].append({**row, "skill_id": f"s{int(row['skill_id'][1:]) + 20}"})
    folder = write_split(tmp_path / "set", "train", tables)
    recipe = recipe(data={"dev_share": 0.2})
    write_tables(open_source(str(folder), "train"), None, recipe, tmp_path / "t")
    made = open_tables(tmp_path / "t")
    ids = list(made.skills["id"])
    dev = {ids[s] for s in made.held_out}
    assert 8 <= len(dev) <= 9  # a last query may bring two skills
    assert set(made.dev.skill_ids) == set(ids)  # searched among the others, as they are few
    assert made.dev.origin == f"{len(dev)} skills held out of train"
    assert not dev & {ids[s] for s in made.pairs[:, 1].tolist()}
    queries = set(made.dev.query_ids)
    assert queries
    asked = list(made.queries["id"])
    assert not queries & {asked[q] for q in made.pairs[:, 0].tolist()}
    assert all(set(gold) <= dev for gold in made.dev.qrels.values())
    # A query with a skill on either side keeps its other skill in training.
    mixed = [
        q for q, gold in enumerate(made.gold) if 0 < len({ids[s] for s in gold} & dev) < len(gold)
    ]
    assert mixed
    assert set(mixed) <= set(made.pairs[:, 0].tolist())


def test_a_made_dev_split_is_filled_up_to_a_number_of_skills(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("skillret.training.data._DEV_SKILLS", 9)
    golds = [[f"s{i}"] for i in range(20)]
    source = listed(golds, [f"word{i}" for i in range(20)])
    for share, expected in ((0.2, 9), (0.6, 12)):
        made = tables_of(source, recipe(data={"dev_share": share}), tmp_path / str(share), None)
        assert len(made.dev.skill_ids) == expected
        assert {f"s{i}" for i in made.held_out} <= set(made.dev.skill_ids)
        assert len(made.dev.query_ids) == len(made.held_out) == 20 * share


def test_near_duplicates_stay_on_one_side(recipe, tmp_path):
    body = [" ".join(f"w{i}-{j}" for j in range(60)) for i in range(10)]
    source = listed([[f"s{i}"] for i in range(20)], [*body, *(b + " end" for b in body)])
    made = tables_of(source, recipe(data={"dev_share": 0.3}), tmp_path, dev=None)
    held = made.held_out
    assert held == {i % 10 for i in held} | {i % 10 + 10 for i in held}


def test_what_is_made_of_held_out_skills_is_not_trained_on(recipe, tmp_path):
    bodies = [" ".join(f"w{i}-{j}" for j in range(200)) for i in range(40)]
    source = listed([[f"s{i}"] for i in range(40)], bodies)
    skills = [replace(s, description=f"Skill {s.id}.") for s in source.rows]
    made = recipe(data={"dev_share": 0.2, "sections": 40, "composed": 60, "repeat": ["*=2"]})
    augmented = augment(Listed(skills, source.asked), made.data, 0)
    tables = tables_of(augmented, made, tmp_path, dev=None)
    ids, asked = list(tables.skills["id"]), list(tables.queries["id"])
    held = {ids[row] for row in tables.held_out}
    assert {f"{i}{SECTION}" for i in held if SECTION not in i} == {i for i in held if SECTION in i}
    assert len(tables.dev.query_ids) == 8
    assert all(i.startswith("q") and "#" not in i for i in tables.dev.query_ids)
    assert not any(SECTION in i for i in tables.dev.skill_ids)
    trained = {q for q, _ in tables.pairs.tolist()}
    assert trained
    assert not any(tables.held_out.intersection(tables.gold[q]) for q in trained)
    assert any(asked[q].startswith("composed") for q in trained)


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
    source = open_source(str(write_split(tmp_path / "large", "train", rows)), "train")
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


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Listed([], []), "is empty: it has no skills"),
        (listed([]), "is empty: it has no requests"),
        (listed([["s0"], []]), "row 1: the request 'q1' has no gold skill; remove it or label it"),
        (listed([["s0", "s9"]]), "gold skill 's9' of the request 'q0' is missing from the skills"),
    ],
)
def test_unusable_data_is_refused(recipe, tmp_path, source, message):
    with pytest.raises(DatasetError, match=message):
        write_tables(source, DEV, recipe(), tmp_path)


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


def test_a_skill_id_must_not_occur_twice(recipe, tmp_path):
    twice = Listed([Skill("a", "n", "", "x"), Skill("a", "n", "", "y")], [])
    with pytest.raises(DatasetError, match="the skill id 'a' occurs twice"):
        write_tables(twice, DEV, recipe(), tmp_path)


def test_dev_must_share_no_skill_with_train(recipe, tmp_path):
    with pytest.raises(DatasetError, match="1 skills of the split 'dev' are in 'train' too"):
        write_tables(
            listed([["s0"], ["s1"]]),
            Listed([Skill("s0", "n", "", "x")], [Request("q", "t", ("s0",), "")]),
            recipe(),
            tmp_path,
        )


def test_dev_must_share_no_skill_with_test(recipe, tmp_path):
    folder = write_split(tmp_path / "set", "train", toy(6, 1))
    write_split(folder, "dev", toy(3, 1, 1, "d"))
    write_split(folder, "test", toy(3, 1, 1, "d"))
    source = LayoutSource(folder, "set", "local", "train")
    dev = LayoutSource(folder, "set", "local", "dev")
    made = tables_of(source, recipe(), tmp_path / "t", dev)
    with pytest.raises(DatasetError, match="3 skills of dev are in the test split too"):
        _check_no_test(source, made.dev)


def test_incomplete_tables_are_not_opened(tmp_path):
    with pytest.raises(DatasetError, match="holds no complete training tables"):
        open_tables(tmp_path)


@pytest.fixture
def skills(tmp_path):
    folder = tmp_path / "skills"
    for name in ("alpha", "beta", "gamma"):
        write_skill(folder, name, f"About {name}.")
    return folder


def test_a_csv_of_request_and_skill(skills, tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text('request,skill\n"do alpha, please",alpha\ndo both,alpha\ndo both,beta\n')
    source = open_source(str(file), "train", [str(skills)])
    found = [(r.text, [g.split("@")[0] for g in r.gold]) for r in source.requests()]
    assert found == [("do alpha, please", ["alpha"]), ("do both", ["alpha", "beta"])]
    assert len(list(source.skills())) == 3


def test_a_jsonl_may_list_several_skills(skills, tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({"query": "do both", "skills": ["alpha", "gamma"]}) + "\n")
    (request,) = open_source(str(file), "train", [str(skills)]).requests()
    assert [g.split("@")[0] for g in request.gold] == ["alpha", "gamma"]


def test_the_eval_queries_of_a_library(skills):
    rows = [{"query": "yes", "should_trigger": True}, {"query": "no", "should_trigger": False}]
    (skills / "alpha" / "eval_queries.json").write_text(json.dumps(rows))
    (skills / "beta" / "evals").mkdir()
    (skills / "beta" / "evals" / "eval_queries.json").write_text(json.dumps(rows[:1]))
    found = list(open_source("", "train", [str(skills)]).requests())
    assert [(r.text, [g.split("@")[0] for g in r.gold]) for r in found] == [
        ("yes", ["alpha", "beta"])
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("request,skill\ndo it,delta\n", "row 1: the skill 'delta' is not in the library"),
        ("request,skill\n,alpha\n", r"row 1: no request \(column request or query\)"),
        ("a,b\n1,2\n", "row 1: no request"),
    ],
)
def test_a_bad_row_is_named(skills, tmp_path, text, message):
    file = tmp_path / "pairs.csv"
    file.write_text(text)
    with pytest.raises(DatasetError, match=message):
        list(open_source(str(file), "train", [str(skills)]).requests())


@pytest.mark.parametrize(
    ("data", "libraries", "error", "message"),
    [
        ("", [], InputError, "no training data"),
        ("nowhere.csv", ["."], InputError, "no such file: nowhere.csv"),
        ("./nowhere", [], InputError, r"no such data set folder: \./nowhere"),
        ("some-set", ["."], InputError, "--library stands alone or goes with a .csv"),
    ],
)
def test_what_is_no_data_is_named(data, libraries, error, message):
    with pytest.raises(error, match=message):
        open_source(data, "train", libraries)


def test_a_file_of_pairs_needs_a_library(tmp_path):
    (tmp_path / "x.csv").write_text("request,skill\n")
    with pytest.raises(InputError, match="give the folder that holds them with --library"):
        open_source(str(tmp_path / "x.csv"), "train")


@pytest.mark.parametrize("row", [{"id": "", "name": "n"}, {"id": "s"}])
def test_a_skill_without_id_or_name_is_named(tmp_path, row):
    folder = write_split(tmp_path / "set", "train", {"skills": [row], "queries": [], "qrels": []})
    with pytest.raises(DatasetError, match=r"train\.jsonl\.gz, row 1: the column '(id|name)' is"):
        list(open_source(str(folder), "train").skills())


def test_a_data_set_of_the_hub_is_pinned_to_its_commit(dataset, tmp_path, monkeypatch):
    (tmp_path / "snapshots").mkdir()
    snapshot = tmp_path / "snapshots" / "0a1b2c"  # the hub's cache names folders by commit
    snapshot.symlink_to(dataset, target_is_directory=True)
    asked = {}

    def snapshot_download(name, **keys):
        asked.update(keys, name=name)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    source = open_source("team/skills@v1", "train")
    assert (asked["name"], asked["revision"], asked["repo_type"]) == (
        "team/skills",
        "v1",
        "dataset",
    )
    assert (source.name, source.revision) == ("team/skills", "0a1b2c")
    assert len(list(source.skills())) == 24


def test_a_hub_id_offline_is_one_line(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DatasetError, match="cannot load no/such@main from the hub") as e:
        open_source("no/such@main", "train")
    assert "\n" not in str(e.value)


def test_a_split_without_labels_is_named(tmp_path):
    folder = write_split(tmp_path / "set", "train", {"skills": toy(2)["skills"]})
    with pytest.raises(DatasetError, match="no queries and qrels for the split 'train'"):
        open_source(str(folder), "train")
    with pytest.raises(DatasetError, match="has no split 'other'"):
        open_source(str(folder), "other")
