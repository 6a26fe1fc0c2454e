import pytest
from tests.conftest import write_skill
from tests.datasets.make.stub import stub_server

from skillret.datasets.make.config import parse_config

KEY = "a-key-that-nobody-may-write-down"
FIELDS = {
    "pdf": "Extract tables and figures from PDF files into spreadsheets for accounting clerks",
    "charts": "Draw bar and line charts of sales figures from spreadsheets for monthly reports",
    "mail": "Sort an overflowing inbox and draft polite replies to unhappy customers of the shop",
    "tests": "Write unit tests for Python functions before the code that they are for is written",
    "docker": "Shrink container images and speed up their builds on continuous integration runners",
    "recipes": "Plan a week of meals and write one shopping list for a household with allergies",
    "invoices": "Create numbered invoices with taxes and discounts from hours or a price list",
    "talks": "Turn a long report into ten clear slides for a board that has little time",
    "maps": "Draw maps of hiking routes with heights and distances from recorded positions",
    "survey": "Design a questionnaire without leading questions and analyse what people answered",
    "garden": "Choose vegetables for a shady garden and plan when each of them is sown",
    "video": "Cut silences out of recorded lectures and write subtitles with correct times",
}


def write_library(folder, repositories=3):
    for number, (name, description) in enumerate(FIELDS.items()):
        body = f"# {name}\n\n" + " ".join(f"{name}{n}" for n in range(60))
        write_skill(folder / f"repo{number % repositories}" / "skills", name, description, body)
    return folder


@pytest.fixture
def library(tmp_path):
    """Twelve skills of three repositories."""
    return write_library(tmp_path / "library")


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setenv("MAKE_KEY", KEY)
    with stub_server() as stub:
        yield stub


@pytest.fixture
def configure(stub):
    """A configuration whose models are the stub."""

    def make(kind="openai", judge=True, **more):
        url = f"{stub.url}/v1" if kind == "openai" else stub.url
        endpoint = {
            "kind": kind,
            "url": url,
            "key": "MAKE_KEY",
            "backoff": 0.001,
            "input_price": 1.0,
            "output_price": 2.0,
            **more.pop("endpoint", {}),
        }
        table = {"model": {**endpoint, "name": "writer"}, **more}
        if judge:
            table["judge"] = {**endpoint, "name": "judge"}
        return parse_config(table)

    return make
