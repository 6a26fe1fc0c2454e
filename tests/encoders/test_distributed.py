import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import SKILLS

from skillret import Index, load_encoder
from skillret.encoders import BulkEncoder, distributed, read_chunks, read_documents
from skillret.encoders.distributed import DistributedEncoder
from skillret.errors import EncoderError, InputError, MissingExtraError

TEXTS = [f"{s.name} | {s.description} | {s.body} {i}" for i in range(8) for s in SKILLS]
CHUNKS = [TEXTS[i : i + 4] for i in range(0, len(TEXTS), 4)]


@pytest.fixture(scope="module")
def encoder():
    with DistributedEncoder("default", workers=2) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def expected():
    return read_documents(load_encoder(), TEXTS)


def assert_same(chunks, expected):
    read = list(chunks)
    assert np.allclose(np.concatenate([r.vectors for r in read]), expected.vectors, atol=1e-5)
    tokens = [t for r in read for t in r.tokens]
    assert len(tokens) == len(expected.tokens)
    for ours, theirs in zip(tokens, expected.tokens, strict=True):
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_chunks_come_back_in_their_order(encoder, expected):
    assert isinstance(encoder, BulkEncoder)
    assert not isinstance(load_encoder(), BulkEncoder)
    done = []
    assert_same(read_chunks(encoder, iter(CHUNKS), done.append), expected)
    assert done == [4] * len(CHUNKS)
    assert list(encoder.read_chunks([])) == []


def test_few_chunks_are_under_way_at_a_time(encoder):
    taken = []

    def given():
        for chunk in CHUNKS:
            taken.append(chunk)
            yield chunk

    next(encoder.read_chunks(given()))
    assert len(taken) == 5  # two for each worker, and the one that found none of them free


def test_it_encodes_as_the_model_itself_does(encoder, expected):
    here = load_encoder()
    assert encoder.profile == here.profile
    assert np.array_equal(encoder.encode_queries(["a cat"]), here.encode_queries(["a cat"]))
    ours, theirs = encoder.encode_tokens(["a cat"]), here.encode_tokens(["a cat"])
    assert np.array_equal(ours[0].late, theirs[0].late)
    done = []
    assert np.allclose(
        encoder.encode_documents(TEXTS[:4], done.append), expected.vectors[:4], atol=1e-5
    )
    assert done == [4]
    with Index.in_memory(model=encoder) as index:
        report = index.update(SKILLS)
    assert report.encoded == len(SKILLS)


def children(root: int) -> set[int]:
    """Processes that a process has started, and those that these have."""
    found = {root}
    for _ in range(5):
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent in found:
                found.add(int(status.parent.name))
    return found - {root}


def command(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def listening(processes: set[int]) -> list[str]:
    """Addresses that processes listen at, as the kernel writes them."""
    sockets = set()
    for process in processes:
        for fd in Path(f"/proc/{process}/fd").glob("*"):
            try:
                sockets.add(str(fd.readlink()))
            except OSError:
                continue
    rows = [
        row.split()
        for kind in ("tcp", "tcp6")
        for row in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    ]
    return [r[1] for r in rows if r[3] == "0A" and f"socket:[{r[9]}]" in sockets]


@pytest.mark.skipif(not Path("/proc/net/tcp6").exists(), reason="needs Linux")
def test_nothing_listens_beyond_loopback(encoder):
    addresses = {place.partition(":")[0] for place in listening(children(os.getpid()))}
    assert addresses
    # 127.0.0.1, and the same within IPv6
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert os.environ["RAY_AUTH_MODE"] == "token"
    node = encoder._ray._private.worker.global_worker.node
    assert Path(node.get_temp_dir_path()).parent.stat().st_mode & 0o077 == 0
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_what_a_worker_was_reading_when_it_died_is_read_again(encoder, expected):
    reading = encoder.read_chunks(CHUNKS)
    read = [next(reading)]
    workers = [p for p in children(os.getpid()) if b"_Worker" in command(p)]
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert_same([*read, *reading], expected)


def test_another_model_over_there_is_refused(encoder, monkeypatch):
    monkeypatch.setattr(encoder, "profile", replace(encoder.profile, template="{name}"))
    with pytest.raises(EncoderError, match=r"has another .* than this machine"):
        encoder._check_workers()


def test_what_is_wrong_over_there_is_told_in_one_line(encoder):
    with pytest.raises(InputError, match=r"^an encoder takes a list of texts; 3 is none$"):
        list(encoder.read_chunks([[3]]))
    with pytest.raises(EncoderError, match=r"^a worker failed: TypeError: ") as told:
        encoder._told(encoder._workers[0].read.remote(3))
    assert "\n" not in str(told.value)


def test_it_says_what_it_needs(monkeypatch):
    with pytest.raises(EncoderError, match="one worker or more, not 0"):
        DistributedEncoder(workers=0)
    monkeypatch.setattr("skillret.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"several workers needs ray: pip install"):
        DistributedEncoder()


def test_an_index_is_built_by_workers(library, tmp_path):
    index = tmp_path / "a.db"
    command = [sys.executable, "-m", "skillret", "index", "build", "--library", library]

    def build(*more, **environment):
        return subprocess.run(
            [*command, "--index", index, *more],
            capture_output=True,
            text=True,
            env=os.environ | environment,
            cwd=tmp_path,
        )

    shutil.copytree(Path(distributed.__file__).parent / "default", tmp_path / "model")
    built = build("--workers", "2", "--model", "model")
    assert built.returncode == 0, built.stderr
    assert f"{len(SKILLS)} encoded" in built.stderr
    assert f"{len(SKILLS)} unchanged" in build().stderr
    away = build("--workers", "2", RAY_ADDRESS="127.0.0.1:1")
    assert away.returncode == 1
    assert away.stderr.startswith("skillret: no Ray cluster at 127.0.0.1:1 (RAY_ADDRESS): ")
    refused = build("--worker-gpus", "1")
    assert (refused.returncode, "goes with --workers" in refused.stderr) == (1, True)
    assert not refused.stdout
