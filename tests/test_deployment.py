"""The Dockerfile's steps replayed without Docker, and the systemd unit looked at by systemd."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skillret import Client
from tests.conftest import ROOT, make_skill, write_skill

TOKEN = "replayed-token-of-the-test"
UNIT = ROOT / "deploy" / "skillret.service"


def instructions():
    """The instructions of the Dockerfile, by stage: pairs of a keyword and what it is given."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            if word == "FROM":
                stages.append([])
            stages[-1].append((word, rest.strip()))
    return stages


def given(stage, word):
    return [rest for keyword, rest in stage if keyword == word]


def variables(stage):
    return dict(part.split("=", 1) for rest in given(stage, "ENV") for part in shlex.split(rest))


def ignored(path):
    """Whether .dockerignore keeps a file out of the build."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line.startswith("#"):
            pattern = line.removeprefix("!")
            parents = [path, *path.parents]
            if any(fnmatch.fnmatch(str(p), pattern.removeprefix("**/")) for p in parents) or any(
                fnmatch.fnmatch(p.name, pattern.removeprefix("**/"))
                for p in parents
                if pattern.startswith("**/")
            ):
                out = not line.startswith("!")
    return out


class Machine:
    """A folder in place of an image: its paths are those of the Dockerfile below that folder."""

    def __init__(self, root, port):
        self.root, self.port = root, port
        self.build, self.image = instructions()
        self.python = root / "usr/local/lib" / f"python3.{sys.version_info.minor}/site-packages"

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def make(self):
        """What `docker build` does."""
        (work,) = given(self.build, "WORKDIR")
        for rest in given(self.build, "COPY"):
            *sources, target = rest.split()
            for source in sources:
                assert not ignored((ROOT / source).relative_to(ROOT)), source
                place = self.path(f"{work}/{target}" if target != "./" else f"{work}/{source}")
                place.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(
                        ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__")
                    )
                else:
                    shutil.copy(ROOT / source, place)
        for rest in given(self.build, "RUN"):
            program, *arguments = shlex.split(rest)
            assert program == "pip"
            arguments = [re.sub(r"=/", f"={self.root}/", argument) for argument in arguments]
            # What it needs is installed where this test runs, and what is installed there stays.
            arguments += ["--no-deps", "--ignore-installed"]
            self.run([sys.executable, "-m", "pip", *arguments], self.path(work))
        for rest in given(self.image, "COPY"):
            stage, source, target = rest.split()
            assert stage == "--from=build"
            shutil.copytree(self.path(source), self.path(target), dirs_exist_ok=True)
        (user,) = given(self.image, "RUN")
        home = re.search(r"--home-dir (\S+)", user)[1]
        self.path(home).mkdir(parents=True)
        self.path(re.search(r"mkdir (\S+)", user)[1]).mkdir()

    def environment(self, **more):
        env = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        for name, value in variables(self.image).items():
            env[name] = str(self.path(value)) if value.startswith("/") else value
        places = [self.path("/usr/local/bin"), Path(sys.executable).parent, "/usr/bin", "/bin"]
        env["PATH"] = os.pathsep.join(map(str, places))
        return env | {"PYTHONPATH": str(self.python)} | more

    def run(self, command, cwd):
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, **more):
        """What `docker run` does: the command, at another port."""
        (command,) = given(self.image, "CMD")
        program, *arguments = json.loads(command)
        return subprocess.Popen(
            [self.path("/usr/local/bin") / program, *arguments, "--port", str(self.port)],
            cwd=self.path(given(self.image, "WORKDIR")[0]),
            env=self.environment(**more),
            stderr=subprocess.PIPE,
            text=True,
        )

    def is_healthy(self):
        """What its health check says."""
        (check,) = given(self.image, "HEALTHCHECK")
        program, *arguments = json.loads(check[check.index("[") :])
        assert program == "python"
        code = [a.replace(given(self.image, "EXPOSE")[0], str(self.port)) for a in arguments]
        assert str(self.port) in code[-1]
        checked = subprocess.run([sys.executable, *code], capture_output=True, text=True)
        return checked.returncode == 0


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    for module in ("fastapi", "uvicorn", "httpx"):
        pytest.importorskip(module)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    machine = Machine(tmp_path_factory.mktemp("image"), port)
    machine.make()
    return machine


def until(process, is_so):
    end = time.monotonic() + 120
    while not is_so():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def running(machine):
    """Starts what the image starts, and ends it if the test has not."""
    processes = []

    def start():
        process = machine.start(SKILLRET_TOKEN=TOKEN)
        processes.append(process)
        until(process, machine.is_healthy)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_image_starts_with_a_token_alone(machine):
    refused = machine.start()
    err = refused.communicate(timeout=60)[1]
    assert refused.returncode == 1
    assert "SKILLRET_TOKEN" in err
    assert "Traceback" not in err


def test_its_service_is_healthy_finds_what_is_mounted_and_keeps_its_data(machine, running):
    assert not machine.is_healthy()
    roots = machine.path(variables(machine.image)["SKILLRET_ROOTS"])
    write_skill(roots, "pdf-tables", "Extract tables from PDF files.")
    process = running()
    url = f"http://127.0.0.1:{machine.port}"
    with Client(url, TOKEN) as client, Client(url, TOKEN, library="team") as team:
        assert client.search("tables of a PDF")[0].name == "pdf-tables"
        team.create_library("team")
        team.put(make_skill("meal-planner", "Plan meals."))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        running()
        assert client.search("tables of a PDF")[0].name == "pdf-tables"
        assert team.search("plan my meals")[0].name == "meal-planner"
    # All that it wrote lies in its volume.
    (volume,) = given(machine.image, "VOLUME")
    assert any(machine.path(volume).rglob("index.db"))
    assert sorted(p.name for p in machine.root.iterdir()) == sorted(
        {"build", "install", "skills", "usr", "var"}
    )


def test_the_image_is_small_and_nobody_s():
    build, image = instructions()
    assert all(re.fullmatch(r"python:3\.\d+-slim( AS build)?", s[0][1]) for s in (build, image))
    (user,) = given(image, "USER")
    assert int(user) > 0
    (made,) = given(image, "RUN")
    assert f"--uid {user}" in made
    (volume,) = given(image, "VOLUME")
    assert variables(image)["HOME"] == volume == re.search(r"--home-dir (\S+)", made)[1]
    assert all("--no-cache-dir" in rest for rest in given(build, "RUN"))
    keywords = [word for word, _ in image]
    assert keywords.index("RUN") < keywords.index("USER") < keywords.index("CMD")


def test_nothing_else_is_sent_to_its_build():
    for name in (".git", "tests", ".venv", "src/skillret/__pycache__/x.pyc", "shared", "runs"):
        assert ignored((ROOT / name).relative_to(ROOT)), name
    assert not ignored((ROOT / "src/skillret/types.py").relative_to(ROOT))


def unit():
    lines = [line for line in UNIT.read_text().splitlines() if line and line[0] not in "#["]
    return dict(line.split("=", 1) for line in lines)


def test_the_unit_starts_what_there_is():
    from skillret.cli import main

    program, *arguments = shlex.split(unit()["ExecStart"])
    assert program == "/opt/skillret/bin/skillret"
    with pytest.raises(SystemExit) as e:  # the options are known, and the help is printed
        main([*arguments, "--help"])
    assert e.value.code == 0
    assert unit()["Environment"] == f"HOME=/var/lib/{unit()['StateDirectory']}"
    # Longer than requests may take, and the grace before.
    assert int(unit()["TimeoutStopSec"]) > 30 + 5


def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/skillret/bin/skillret", sys.executable))
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True
    )
    about = [line for line in checked.stderr.splitlines() if UNIT.name in line]
    assert about == [], checked.stderr
    scored = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(copy)],
        capture_output=True,
        text=True,
    )
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", scored.stdout)
    if level is None:
        pytest.skip(f"this systemd does not look at files: {scored.stderr[:200]}")
    assert float(level[1]) < 2.0, scored.stdout
