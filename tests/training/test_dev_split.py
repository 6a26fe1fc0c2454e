"""Dev splits that are held out of train."""

from dataclasses import replace

from tests.training.conftest import toy, write_split
from tests.training.test_rows import Listed, listed, tables_of

from skillret.datasets.labelled import open_split
from skillret.training.augment import SECTION, augment
from skillret.training.rows import open_tables, write_tables


def test_a_dev_split_is_made_by_skill(recipe, tmp_path):
    tables = toy(40, 2)
    for row in tables["qrels"][:20]:  # every second of these queries needs a skill of the next
        tables["qrels"].append({**row, "skill_id": f"s{int(row['skill_id'][1:]) + 20}"})
    folder = write_split(tmp_path / "set", "train", tables)
    recipe = recipe(data={"dev_share": 0.2})
    write_tables(open_split(folder, "train"), None, recipe, tmp_path / "t")
    made = open_tables(tmp_path / "t")
    ids = list(made.skills["id"])
    dev = {ids[s] for s in made.held_out}
    assert 16 <= len(made.dev.query_ids) <= 19  # of 80 queries; a last one may bring two skills
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
    monkeypatch.setattr("skillret.training.dev_split._DEV_SKILLS", 9)
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
