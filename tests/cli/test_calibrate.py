import json
import shutil
from pathlib import Path

from tests.conftest import ROOT, TokenHashEncoder
from tests.training.conftest import write_split

import skillret.encoders
from skillret.cli import main


def test_a_folder_of_skills_is_calibrated_by_its_own_tests(capsys):
    assert main(["calibrate", str(ROOT / "examples" / "skills"), "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["n_negatives"] == 0
    assert result["sets"]["selected"]["completeness, k > 1"] is None  # none needs several
    assert "near misses" in err
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
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").write_text("x")
    assert main(["calibrate", str(library), "--output", str(full)]) == 1
    assert main(["calibrate", str(library)]) == 1  # no eval queries
    assert main(["calibrate", str(library), "--train-split", "test"]) == 1
    assert main(["calibrate", str(library), "--train-split", "train"]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    file = tmp_path / "file"
    file.write_text("x")
    assert main(["calibrate", str(library), "--output", str(file)]) == 1
    lines += capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 7
    assert "is a file" in lines[6]
    assert file.read_text() == "x"
    assert all(line.startswith("skillret: ") for line in lines)
    assert "test split" in lines[1]
    assert "not empty" in lines[2]
    assert "test split" in lines[4]
    assert "add --fit-ranker" in lines[5]


def requests_for(skills):
    """Two requests a skill, and small talk."""
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
    alone = json.loads(capsys.readouterr().out)
    assert main([*command, "--train-split", "train"]) == 0
    helped = json.loads(capsys.readouterr().out)
    assert helped["n_queries"] == alone["n_queries"] == len(found["dev"]["queries"])
    assert helped["ndcg@10"]["all"] > 0.9
    assert helped["threshold"] != alone["threshold"]


def test_a_calibrated_copy_works_as_a_model(tmp_path, capsys, library):
    skills = [
        {"id": f.name, "name": f.name, "description": f.name.replace("-", " "), "skill_md": "Do."}
        for f in sorted((ROOT / "examples" / "skills").iterdir())
    ]
    data = write_split(tmp_path / "set", "dev", requests_for(skills))
    target = tmp_path / "model"
    assert main(["calibrate", str(data), "--output", str(target), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ndcg@10"]["all"] > 0.9
    assert result["auroc"] > 0.9
    arguments = ["search", "find out why my pods crash", "--library", str(library)]
    assert main([*arguments, "--model", str(target), "--select", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert hits[0]["name"] == "kubernetes-debugging"


def test_a_copy_takes_no_more_than_the_model(tmp_path, capsys):
    model = tmp_path / "model"
    shutil.copytree(Path(skillret.encoders.__file__).parent / "default", model)
    (tmp_path / "secret.txt").write_text("secret")
    (model / "vocab.txt").symlink_to(tmp_path / "secret.txt")
    (model / "tokenizer.json").rename(tmp_path / "blob")
    (model / "tokenizer.json").symlink_to(tmp_path / "blob")  # as in the hub's cache
    skills, output = str(ROOT / "examples" / "skills"), tmp_path / "copy"
    assert main(["calibrate", skills, "--model", str(model), "--output", str(output)]) == 0
    capsys.readouterr()
    assert (output / "tokenizer.json").read_bytes() == (tmp_path / "blob").read_bytes()
    assert not (output / "vocab.txt").exists()
    assert (output / "README.md").is_file()
