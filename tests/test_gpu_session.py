"""The GPU session of scripts/gpu_session.sh, on a CPU: tiny random models of the same kinds."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.conftest import ROOT


def session(out, *arguments):
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / "gpu_session.sh"), "--out", str(out), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
    )


@pytest.fixture
def transfer(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.gpu import transfer

    return transfer


@pytest.fixture
def sources(tmp_path):
    """A student, a teacher and a data set, none larger than it must be."""
    draw, folder = np.random.default_rng(0), tmp_path / "sources"
    for name in ("student", "teacher"):
        (folder / name / "1_Pooling").mkdir(parents=True)
        (folder / name / "1_Pooling" / "config.json").write_text("{}")
        (folder / name / "pytorch_model.bin").write_bytes(b"left behind")
        tensors = {
            "matrix": draw.normal(size=(30, 40)).astype(np.float32),
            "bias": draw.normal(size=30).astype(np.float32),
            "positions": np.arange(7),
        }
        tensors["matrix"][3] = 0
        save_file(tensors, folder / name / "model.safetensors")
    for table, row in (
        (
            "skills",
            {"id": "s", "name": "n", "description": "d", "repo": "r", "skill_md": "x" * 9000},
        ),
        ("queries", {"id": "q", "query": "text", "kind": "routing"}),
        ("qrels", {"query_id": "q", "skill_id": "s", "relevance": 1}),
    ):
        for split in ("train", "dev2", "dev"):
            file = folder / "data" / "data" / table / f"{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(row) + "\n")
    return {path.name: path for path in sorted(folder.iterdir())}


def test_what_is_packed_comes_out_again(transfer, sources, tmp_path, kept):
    rows = transfer.pack(sources, tmp_path / "pack", limit=1000)
    assert [row["name"] for row in rows] == ["data", "student", "teacher"]
    parts = sorted((tmp_path / "pack").iterdir(), key=lambda f: int(f.name))
    assert len(parts) > 2
    assert all(next(f.glob("inputs.0*")).stat().st_size <= 1000 for f in parts)

    for part in parts:
        done = session(tmp_path / "out", "--receive", str(part))
        assert done.returncode == 0, done.stderr
    assert transfer.unpack(kept, "inputs", tmp_path / "made") == ["data", "student", "teacher"]
    for name, error in (("student", 2**-11), ("teacher", 1 / 254)):
        before, after = (
            load_file(folder / "model.safetensors")
            for folder in (sources[name], tmp_path / "made" / name)
        )
        assert before.keys() == after.keys()
        assert after["matrix"].dtype == np.float32
        largest = np.abs(before["matrix"]).max(axis=1, keepdims=True)
        assert (np.abs(after["matrix"] - before["matrix"]) <= 1.01 * error * largest).all()
        np.testing.assert_array_equal(after["positions"], before["positions"])
        assert not (tmp_path / "made" / name / "pytorch_model.bin").exists()
    data = tmp_path / "made" / "data" / "data"
    (skill,) = map(json.loads, (data / "skills" / "dev2.jsonl").read_text().splitlines())
    assert skill == {"id": "s", "name": "n", "description": "d", "skill_md": "x" * 4096}
    assert not (data / "skills" / "dev.jsonl").exists()


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """Where a machine keeps what transfers bring."""
    monkeypatch.setenv("SKILLRET_GPU_INPUTS", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_a_part_on_its_own_says_how_it_ended(transfer, sources, tmp_path):
    transfer.pack(sources, tmp_path / "pack", limit=1000)
    pack = ("--inputs", str(tmp_path / "pack"), "inputs")
    done = session(tmp_path / "good", *pack)
    assert done.returncode == 0, done.stdout
    assert "unpacked data, student, teacher" in done.stdout
    (tmp_path / "pack" / "2" / "inputs.002").write_bytes(b"damaged")
    assert session(tmp_path / "bad", *pack).returncode == 1
    log = (tmp_path / "bad" / "log.txt").read_text()
    assert "inputs.002 is not as it was written; send it again" in log
    assert "Traceback" not in log
    done = session(tmp_path / "late", "--limit", "inputs=0.001", *pack)
    assert done.returncode == 1
    assert "inputs: failed: not done after 0.001 seconds" in done.stdout


def test_every_part_leaves_its_table_and_one_that_fails_stops_no_other(
    tmp_path, transfer, monkeypatch
):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    done = session(out, "--dry-run", "--inputs", str(empty))
    assert done.returncode == 1, done.stdout
    results = json.loads((out / "results.json").read_text())
    assert {part: found["status"] for part, found in results.items()} == {
        "inputs": "failed: exit status 1, see the log",
        "throughput": "done",
        "indexing": "done",
        "training": "done",
    }
    report = (out / "report.md").read_text()
    for part, rows in (("throughput", 4), ("indexing", 2), ("training", 4)):
        assert len(results[part]["rows"]) == rows
        table = report.split(f"## {part}\n")[1].split("\n## ")[0]
        assert sum(line.startswith("|") for line in table.splitlines()) == rows + 2
    # Both trainers do the same work: every loss is the other's.
    ours = [row for row in results["throughput"]["rows"] if row["trainer"] == "skillret"]
    assert [row["loss_difference"] for row in ours] == [pytest.approx(0, abs=1e-3)] * 2
    assert "holds no inputs.json" in (out / "log.txt").read_text()
    # What comes back fits: few files, none in a folder, and the student loads from them.
    assert len(list(out.iterdir())) <= 8
    arguments = ["transfer", "--unpack", str(out), "--output", str(tmp_path / "student")]
    monkeypatch.setattr(sys, "argv", arguments)
    transfer.main()
    assert (tmp_path / "student" / "student" / "profile.json").is_file()


def test_flops_are_those_that_torch_counts(tmp_path, transfer):
    import torch
    from benchmarks.gpu.shapes import QWEN_06B, TINY, save_qwen
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModel

    folder = save_qwen(TINY, tmp_path, "cpu")
    model = AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    tokens = 20
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=torch.arange(tokens)[None], use_cache=False)
    # Eager attention computes the products with later tokens too, before they are masked.
    width = TINY.heads * TINY.head_dim
    later = TINY.layers * 4 * width * tokens * (tokens - 1) / 2
    assert counter.get_total_flops() == TINY.forward_flops(tokens) + later
    assert QWEN_06B.forward_flops(1) == pytest.approx(2 * 440e6, rel=0.01)


def test_peaks_are_known_by_the_name_of_the_device(transfer):
    from benchmarks.gpu.shapes import peak_flops

    assert peak_flops("NVIDIA H200") == peak_flops("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("NVIDIA H100 NVL") == 835e12
    assert peak_flops("NVIDIA A100-SXM4-80GB") is None
    assert peak_flops("") is None
