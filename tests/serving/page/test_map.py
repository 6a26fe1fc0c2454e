import json

import numpy as np

from skillret import Index, Retriever
from skillret.serving.page.map import draw
from skillret.serving.page.saved import load_map, save_map
from tests.conftest import HashEncoder, make_skill
from tests.serving.page.conftest import themed_skills


def test_the_document_has_all_skills(retriever):
    drawn = draw(retriever)
    said = json.loads(drawn.document)
    assert said["names"] == [skill.name for skill in retriever.index.skills()]
    assert said["ids"] == [skill.id for skill in retriever.index.skills()]
    assert len(said["x"]) == len(said["y"]) == len(said["groups"]) == len(said["root"]) == 60
    assert max(map(abs, said["x"] + said["y"])) == said["unit"]
    about = {s.name.split("-")[0]: s.description.lower() + s.name for s in themed_skills()}
    places = dict(zip(zip(said["x"], said["y"], strict=True), said["names"], strict=True))
    assert len(said["labels"]) > 3
    for item in said["labels"]:  # each stands on a skill of the theme that it names
        theme = places[item["x"], item["y"]].split("-")[0]
        assert all(word in about[theme] for word in item["text"].split(" · "))
    assert draw(retriever).document == drawn.document


def test_skills_stay_where_they_stood(retriever):
    before = draw(retriever)
    retriever.index.add([make_skill("invoice-new", themed_skills()[0].description)])
    retriever.index.remove(["poem-3"])
    after = draw(retriever, before)
    assert after.generation != before.generation
    stood = dict(zip(before.keys.tolist(), before.positions.tolist(), strict=True))
    moved = dict(zip(after.keys.tolist(), after.positions.tolist(), strict=True))
    assert all(moved[key] == stood[key] for key in stood if key in moved)
    (new,) = set(moved) - set(stood)
    invoices = np.array(list(stood.values()))[:20]
    assert np.linalg.norm(invoices - moved[new], axis=1).min() < 0.2


def test_another_library_is_laid_out_anew(retriever):
    before = draw(retriever)
    retriever.index.update(themed_skills()[:30])
    assert np.array_equal(draw(retriever, before).positions, draw(retriever).positions)


def test_an_empty_library_has_a_map():
    with Retriever(Index.in_memory(model=HashEncoder())) as retriever:
        said = json.loads(draw(retriever).document)
    assert said["ids"] == said["labels"] == []


def test_skills_lie_under_their_innermost_root(tmp_path, library):
    inner = library / "meal-planner"
    with Retriever.open(
        library=[library, inner], index=tmp_path / "i.db", model=HashEncoder()
    ) as retriever:
        said = json.loads(draw(retriever).document)
    of = dict(zip(said["names"], said["root"], strict=True))
    assert said["roots"][of["meal-planner"]].endswith("meal-planner")
    assert all(root == of["meal-planner"] or root != -1 for root in of.values())


def test_a_large_map_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("skillret.serving.page.saved._LEAST", 1)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path)
    with Index.open(tmp_path / "i.db", create=True, model=HashEncoder()) as index:
        index.update(themed_skills())
        drawn = draw(Retriever(index))
    assert load_map(drawn.generation) is None
    save_map(drawn)
    kept = load_map(drawn.generation)
    assert kept.document == drawn.document
    assert np.array_equal(kept.keys, drawn.keys)
    assert np.array_equal(kept.positions, drawn.positions)
    (file,) = (tmp_path / "maps").iterdir()
    file.write_bytes(file.read_bytes()[:-50])
    assert load_map(drawn.generation) is None
    assert load_map("../../etc/passwd") is None
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("no folder")
    save_map(drawn)  # which cannot be done
