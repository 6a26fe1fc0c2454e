import json

import pytest

from skillret.cli import main


def test_bad_input_is_one_line(tmp_path, capsys, library):
    assert main(["calibrate", str(tmp_path / "none"), "--split", "dev"]) == 1
    assert main(["calibrate", str(library), "--split", "test"]) == 1
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").write_text("x")
    assert main(["calibrate", str(library), "--output", str(full)]) == 1
    assert main(["calibrate", str(library)]) == 1  # no eval queries
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 4
    assert all(line.startswith("skillret: ") for line in lines)
    assert "test split" in lines[1]
    assert "not empty" in lines[2]


@pytest.mark.data
def test_a_calibrated_copy_works_as_a_model(tmp_path, capsys, openskillret, library):
    target = tmp_path / "model"
    # The examples' own eval queries are too few; a slice of dev is enough to see it work.
    status = main(["calibrate", str(openskillret), "--output", str(target), "--json"])
    assert status == 0
    result = json.loads(capsys.readouterr().out)
    assert result["auroc"] > 0.9
    arguments = ["search", "why do my pods restart", "--library", str(library)]
    assert main([*arguments, "--model", str(target), "--select", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert hits[0]["name"] == "kubernetes-debugging"
