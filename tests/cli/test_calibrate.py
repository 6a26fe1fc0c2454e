import json
import shutil
from pathlib import Path

from tests.conftest import ROOT, HashEncoder, TokenHashEncoder
from tests.training.conftest import write_split

import skillret.encoders
from skillret import load_encoder
from skillret.cli import main
from skillret.retrieval.calibration import CALIBRATION_FILE, load_calibration

PACKAGED = Path(skillret.encoders.__file__).parent / "default"


def test_a_folder_of_skills_is_calibrated_by_its_own_tests(capsys):
    assert main(["calibrate", str(ROOT / "examples" / "skills"), "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["n_negatives"] == 0
    assert result["sets"]["selected"]["completeness, k > 1"] is None  # none needs several
    assert "near misses" in err
    assert "drawn towards those that the model had" in err  # they are fewer than 500
    assert main(["calibrate", str(ROOT / "examples" / "skills")]) == 0
    assert "nan" not in capsys.readouterr().out


def test_a_library_s_own_tests_may_be_named_as_the_split(capsys):
    command = ["calibrate", str(ROOT / "examples" / "skills"), "--json"]
    assert main(command) == 0
    unnamed = json.loads(capsys.readouterr().out)
    assert main([*command, "--split", "tests"]) == 0
    assert json.loads(capsys.readouterr().out) == unnamed


def test_bad_input_is_one_line(tmp_path, capsys, library):
    assert main(["calibrate", str(tmp_path / "none"), "--split", "dev"]) == 1
    assert main(["calibrate", str(library), "--split", "test"]) == 1
    assert main(["calibrate", str(library), "--output", str(library)]) == 1
    assert main(["calibrate", str(library)]) == 1  # no eval queries
    assert main(["calibrate", str(library), "--train-split", "test"]) == 1
    assert main(["calibrate", str(library), "--train-split", "train"]) == 1
    assert main(["calibrate", str(library), "--rerank", "r"]) == 1
    assert main(["calibrate", str(library), "--rerank", "r", "--fit-ranker"]) == 1
    file = tmp_path / "file"
    file.write_text("x")
    assert main(["calibrate", str(library), "--output", str(file)]) == 1
    assert main(["calibrate", str(library), "--calibration", str(file)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 10
    assert all(line.startswith("skillret: ") for line in lines)
    assert "test split" in lines[1]
    assert "is no file" in lines[2]
    assert "test split" in lines[4]
    assert "add --fit-ranker" in lines[5]
    assert "--rerank needs --output" in lines[6]
    assert "fit the ranker first" in lines[7]
    assert "is there already and is no calibration" in lines[8]
    assert file.read_text() == "x"
    assert "cannot read the calibration" in lines[9]


class Overlap:
    """A reranker that counts common words."""

    name = "overlap"

    def scores(self, query, documents):
        words = set(query.lower().split())
        return [float(len(words & set(document.lower().split()))) for document in documents]


def test_a_calibration_with_a_reranker_is_for_searches_with_it(tmp_path, capsys, monkeypatch):
    for place in ("cli.calibrate", "retrieval.retriever", "cli.evaluate"):
        made = lambda given: Overlap() if given else None  # noqa: E731
        monkeypatch.setattr(f"skillret.{place}.load_reranker", made)
    skills, file = str(ROOT / "examples" / "skills"), tmp_path / "with.json"
    assert main(["calibrate", skills, "--rerank", "overlap", "--output", str(file)]) == 0
    said = capsys.readouterr().err
    assert f"use it with --calibration {file} --rerank overlap" in said
    assert "(ranker, thresholds)" in said
    assert json.loads(file.read_text())["reranker"] == "overlap"
    search = ["search", "my pods keep restarting", "--library", skills, "--select", "--json"]
    assert main([*search, "--calibration", str(file), "--rerank", "overlap"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"][0]["name"] == "kubernetes-debugging"
    assert main([*search, "--calibration", str(file)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "fitted with the reranker overlap, and is used without one" in said


def requests_for(skills):
    """Two queries a skill, and small talk."""
    queries = [
        {"id": f"{s['id']}-{i}", "query": text.format(s["description"].rstrip(".").lower())}
        for s in skills
        for i, text in enumerate(("Please {} for me.", "I have to {} by tomorrow, can you help?"))
    ]
    return {
        "skills": skills,
        "queries": queries,
        "qrels": [
            {"query_id": q["id"], "skill_id": q["id"].rsplit("-", 1)[0], "relevance": 1}
            for q in queries
        ],
        "negatives": [{"id": f"n{i}", "query": f"good morning, it is day {i}"} for i in range(12)],
    }


def test_a_ranker_is_fitted_on_one_split_with_the_help_of_another(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skillret.cli.calibrate.load_encoder", lambda *a, **k: TokenHashEncoder())
    monkeypatch.setattr("skillret.calibration.calibrate._LEAST_RANKER", 100)
    monkeypatch.setattr("skillret.calibration.calibrate._SEEDS", 1)
    found = {}
    for split in ("dev", "train"):
        names = [f"{split}{i}" for i in range(60)]
        skills = [
            {"id": n, "name": n, "description": f"Do {n}", "skill_md": "Steps."} for n in names
        ]
        found[split] = requests_for(skills)
        data = write_split(tmp_path, split, found[split])
    command = ["calibrate", str(data), "--fit-ranker", "--json"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    alone = json.loads(out)
    assert "nothing was written" in err
    file = tmp_path / "new" / "c.json"
    assert main([*command, "--train-split", "train", "--output", str(file)]) == 0
    helped = json.loads(capsys.readouterr().out)
    assert helped["n_queries"] == alone["n_queries"] == len(found["dev"]["queries"])
    assert helped["ndcg@10"]["all"] > 0.9
    assert helped["threshold"] != alone["threshold"]
    # The encoder has no folder, so what was fitted for it is named.
    kept = load_calibration(TokenHashEncoder(), file)
    assert kept.id == helped["calibration"]
    assert kept.ranker.terms is not None
    assert [f.purpose[0] for f in kept.fitted_on] == ["helped", "ranker"]
    again = ["calibrate", str(data), "--calibration", str(file)]
    assert main(again) == 1
    assert "100% of the queries of" in capsys.readouterr().err
    assert main([*again, "--split", "train"]) == 1
    assert "nothing held out" in capsys.readouterr().err


def test_an_encoder_that_shows_no_tokens_gets_a_ranker_too(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skillret.cli.calibrate.load_encoder", lambda *a, **k: HashEncoder())
    monkeypatch.setattr("skillret.calibration.calibrate._LEAST_RANKER", 80)
    monkeypatch.setattr("skillret.calibration.calibrate._SEEDS", 1)
    data = example_requests(tmp_path)
    for kind in ("skills", "queries", "qrels", "negatives"):
        file = data / "data" / kind / "dev.jsonl.gz"
        shutil.copyfile(file, file.with_name("train.jsonl.gz"))
    output = tmp_path / "c.json"
    command = ["calibrate", str(data), "--fit-ranker", "--train-split", "train"]
    assert main([*command, "--output", str(output)]) == 0
    assert "all terms count alike" in capsys.readouterr().err
    assert load_calibration(HashEncoder(), output).ranker.terms is None


def example_requests(folder):
    """A data set about the example skills."""
    skills = [
        {"id": f.name, "name": f.name, "description": f.name.replace("-", " "), "skill_md": "Do."}
        for f in sorted((ROOT / "examples" / "skills").iterdir())
    ]
    return write_split(folder, "dev", requests_for(skills))


def test_a_calibration_is_written_beside_the_weights_and_copies_none(tmp_path, capsys, library):
    data, model = example_requests(tmp_path / "set"), tmp_path / "model"
    shutil.copytree(PACKAGED, model)
    before = {f.name: (f.stat().st_mtime_ns, f.stat().st_size) for f in model.iterdir()}
    assert main(["calibrate", str(data), "--model", str(model), "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["ndcg@10"]["all"] > 0.9
    assert result["auroc"] > 0.9
    after = {f.name: (f.stat().st_mtime_ns, f.stat().st_size) for f in model.iterdir()}
    assert {n for n in after if after[n] != before.get(n)} == {CALIBRATION_FILE}
    assert after.keys() == before.keys()
    assert f"wrote {model / CALIBRATION_FILE}" in err
    encoder = load_encoder(str(model))
    own = load_calibration(encoder)
    assert own.id == result["calibration"] != load_calibration(load_encoder()).id
    assert own.threshold == result["threshold"]
    arguments = ["search", "find out why my pods crash", "--library", str(library)]
    assert main([*arguments, "--model", str(model), "--select", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["hits"][0]["name"] == "kubernetes-debugging"
    assert found["threshold"] == own.threshold


def test_the_packaged_model_is_left_as_it_is(tmp_path, capsys, monkeypatch):
    skills, file = str(ROOT / "examples" / "skills"), tmp_path / "mine.json"
    before = (PACKAGED / CALIBRATION_FILE).read_bytes()
    for model in ("default", str(PACKAGED)):
        assert main(["calibrate", skills, "--model", model]) == 0
        assert "nothing was written; --output FILE" in capsys.readouterr().err
    (tmp_path / "default").mkdir()  # a folder of the same name is not meant
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", skills, "--output", str(file)]) == 0
    assert f"use it with --calibration {file}" in capsys.readouterr().err
    assert main(["calibrate", skills, "--output", str(file), "--calibration", str(file)]) == 0
    assert not list((tmp_path / "default").iterdir())
    assert (PACKAGED / CALIBRATION_FILE).read_bytes() == before
    kept = load_calibration(load_encoder(), file)
    purposes = [f.purpose for f in kept.fitted_on]
    assert purposes == [("helped", "terms"), ("ranker", "need", "thresholds"), ("thresholds",)]
    assert kept.fitted_on[-1].dataset == "skills"


def test_a_calibration_of_other_weights_gives_way_to_a_new_one(tmp_path, capsys, monkeypatch):
    encoder = TokenHashEncoder()
    encoder.folder = tmp_path / "model"
    encoder.folder.mkdir()
    models = {str(encoder.folder): encoder, "default": load_encoder()}
    monkeypatch.setattr("skillret.cli.calibrate.load_encoder", lambda name, **k: models[name])
    shutil.copyfile(PACKAGED / CALIBRATION_FILE, encoder.folder / CALIBRATION_FILE)
    data = str(example_requests(tmp_path / "set"))
    command = ["calibrate", data, "--model", str(encoder.folder)]
    assert main(command) == 1
    assert "fitted for other weights" in capsys.readouterr().err
    assert main([*command, "--fit-ranker", "--output", str(tmp_path / "few.json")]) == 0
    err = capsys.readouterr().err
    assert "left aside" in err
    assert "fewer than 500 queries" in err
    assert "fitted on set" in err
    monkeypatch.setattr("skillret.calibration.calibrate._LEAST_RANKER", 80)
    monkeypatch.setattr("skillret.calibration.calibrate._SEEDS", 1)
    (encoder.folder / CALIBRATION_FILE).write_text("{}")  # a damaged one too
    assert main([*command, "--fit-ranker"]) == 0
    assert load_calibration(encoder).fitted_on[0].dataset == "set"
