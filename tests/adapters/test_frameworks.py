"""Each adapter in its real framework; where one is not installed, its tests are skipped.

Each runs in a process of its own: frameworks warn, log and start threads as they like.
"""

import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from skillret import Retriever
from skillret.errors import MissingExtraError
from skillret.serving.http.app import Options, create_app
from skillret.serving.libraries import Libraries
from skillret.serving.service import Service
from tests.conftest import ROOT
from tests.served import served

# The examples, the package that each needs, and what each prints.
EXAMPLES = {
    "langchain": ("langchain_core", ["Work by these skills", "# Scanned PDF to spreadsheet"]),
    "llama_index": ("llama_index", ["Context information", "Turn scanned or image-only PDFs"]),
    "haystack": ("haystack", ["loaded: # Scanned PDF", "I work by the skill"]),
    "google_adk": ("google.adk", ["found: ['scanned-pdf", "loaded: scanned-pdf", "I work by"]),
    "openai_agents": ("agents", ["spreadsheet', True)", "loaded: # Scanned PDF", "I work by"]),
    "pydantic_ai": ("pydantic_ai", ["spreadsheet', True)", "loaded: # Scanned PDF", "I work by"]),
}
NO_NETWORK = """
import socket, sys
_connect = socket.socket.connect
def connect(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
        print("CALLED", address, file=sys.stderr)
        raise OSError("no network in tests")
    return _connect(self, address)
socket.socket.connect = connect
"""


def needs(package):
    try:
        there = find_spec(package) is not None
    except ModuleNotFoundError:  # of its parent
        there = False
    if not there:
        pytest.skip(f"needs {package}: pip install '.[adapters]'")


@pytest.mark.parametrize("adapter", EXAMPLES)
def test_without_its_framework_an_adapter_names_the_extra(adapter, monkeypatch):
    package = EXAMPLES[adapter][0] if adapter != "llama_index" else "llama_index.core"
    for name in [package, *(n for n in sys.modules if n.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"skillret.adapters.{adapter}", raising=False)
    extra = adapter.replace("_", "-")
    with pytest.raises(ImportError, match=re.escape(f"pip install 'skillret[{extra}]'")) as raised:
        import_module(f"skillret.adapters.{adapter}")
    assert isinstance(raised.value, MissingExtraError)
    assert f"needs {package}: " in str(raised.value)


@pytest.fixture
def start(tmp_path, home):
    """Starts Python where a call of the network fails, and is told of on stderr."""
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src"), str(ROOT)])

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": path},
        )

    return start


def printed_by(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "CALLED" not in err
    return out


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A service of the example skills."""
    place = tmp_path_factory.mktemp("served")

    def opened():
        return Retriever.open(library=ROOT / "examples" / "skills", index=place / "index.db")

    with served(create_app(Service(Libraries(place, opened)), Options(page=False))) as url:
        yield url


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_example_runs_with_a_library_and_with_a_service(name, start, url):
    package, printed = EXAMPLES[name]
    needs(package)
    example = str(ROOT / "examples" / "adapters" / f"with_{name}.py")
    for process in [start(example), start(example, url)]:
        output = printed_by(process)
        assert [text for text in printed if text not in output] == [], output


def test_there_is_an_example_for_each_adapter_and_an_extra():
    shared = {"__init__", "source", "tools"}
    adapters = {file.stem for file in (ROOT / "src/skillret/adapters").glob("*.py")} - shared
    examples = (ROOT / "examples" / "adapters").glob("with_*.py")
    assert {file.stem.removeprefix("with_") for file in examples} == adapters == set(EXAMPLES)
    extras = (ROOT / "pyproject.toml").read_text()
    for name in adapters:
        assert f"\n{name.replace('_', '-')} = [" in extras


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_the_docs_say_of_it_and_what_it_does_beyond(name, start):
    needs(EXAMPLES[name][0])
    docs = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"<!-- no test: needs {name} -->\n```python\n(.*?)```", docs, re.DOTALL)
    printed_by(start("-c", f"{code}\nimport tests.adapters.checks.{name}"))
