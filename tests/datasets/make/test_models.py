"""Against a server on loopback that speaks as OpenAI's and Anthropic's do."""

import dataclasses
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from tests.cli.test_search import fails, run
from tests.conftest import ROOT
from tests.datasets.make.conftest import KEY
from tests.datasets.make.stub import default_answer

from skillret.datasets.check import check_dataset
from skillret.datasets.make.config import EndpointSection
from skillret.datasets.make.models.asker import Asker, Question, RateLimit
from skillret.datasets.make.models.clients import make_client
from skillret.datasets.make.models.ledger import BudgetReachedError, Ledger
from skillret.datasets.make.pipeline import STEPS, Pipeline
from skillret.datasets.row_files import read_rows
from skillret.errors import InputError, ServiceError

pytest.importorskip("openai")
pytest.importorskip("anthropic")
KINDS = ("openai", "anthropic")


def make(library, folder, config, steps=STEPS):
    ledger = Ledger(folder / "steps" / "answers.sqlite", config.budget)
    askers = {
        section: Asker(end, lambda end=end: make_client(end, "model"), ledger)
        for section in ("model", "test_model", "judge")
        if (end := getattr(config, section)).kind
    }
    try:
        pipeline = Pipeline(str(library), folder, config, ledger=ledger, **askers)
        return {r.name: r for r in pipeline.run(steps)}, ledger.report()
    finally:
        for asker in askers.values():
            asker.close()
        ledger.close()


def spent(file):
    """Cost and tokens of all calls so far."""
    with closing(sqlite3.connect(file)) as db:
        return db.execute("SELECT TOTAL(cost), SUM(input + output) FROM calls").fetchone()


@pytest.fixture
def asker(tmp_path):
    made = []

    def make(config, **endpoint):
        ledger = Ledger(tmp_path / "answers.sqlite", config.budget)
        end = EndpointSection(**{**as_table(config.model), **endpoint})
        made.append(Asker(end, lambda: make_client(end, "model"), ledger))
        return made[-1]

    yield make
    for asker in made:
        asker.close()
        asker.ledger.close()


def as_table(section):
    return {name: getattr(section, name) for name in section.__slots__}


def rows_of(folder, but=()):
    return {
        str(f.relative_to(folder)): f.read_bytes()
        for f in folder.rglob("*.jsonl*")
        if f.is_file() and f.name not in but
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_tags_sorts_writes_and_judges(kind, stub, library, configure, tmp_path):
    reports, calls = make(library, tmp_path / "out", configure(kind))
    assert all(report.fresh for report in reports.values())
    assert check_dataset(tmp_path / "out").ok
    (queries,) = [list(read_rows(f)) for f in (tmp_path / "out" / "data" / "queries").iterdir()]
    assert {q["generator_model"] for q in queries} == {"writer"}
    assert not any(q["kind"].startswith("template") for q in queries)
    # 12 skills: 12 requests, a near-miss, a needless one; the judge sees all but the last.
    assert calls == [
        "judge: 13 calls (13 answered), 1,300 tokens in and 260 out, cost 0.0018",
        "writer: 17 calls (17 answered), 1,700 tokens in and 340 out, cost 0.0024",
    ]
    assert len(stub.asked) == 30
    card = (tmp_path / "out" / "README.md").read_text()
    assert calls[0] in card
    assert "prompt `write`: " in card
    make(library, tmp_path / "out", configure(kind))
    assert len(stub.asked) == 30
    make(library, tmp_path / "out", configure(kind), ("write",))  # again, from what is kept
    assert len(stub.asked) == 30


def test_tests_may_be_written_by_another_model(stub, library, configure, tmp_path):
    config = configure(judge=False, split={"shares": {"train": 0.5, "test": 0.5}})
    other = dataclasses.replace(config.model, name="stronger")
    make(library, tmp_path / "out", dataclasses.replace(config, test_model=other))
    for split, name in (("train", "writer"), ("test", "stronger")):
        queries = read_rows(tmp_path / "out" / "data" / "queries" / f"{split}.jsonl.gz")
        assert {q["generator_model"] for q in queries} == {name}
    assert "- test_model: stronger (openai)" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "faults", [[429], [500], [503, 429], ["drop"], ["half"], ["empty"], ["invalid"], ["form"],
               ["length"], ["refusal", "refusal"]]
)  # fmt: skip
def test_what_goes_wrong_once_is_asked_again(kind, faults, stub, configure, asker, tmp_path):
    stub.faults = list(faults)
    ask = asker(configure(kind))
    question = Question("system", 'Write. 5 to 9 words.\n{"request": "..."}')
    (answer,) = ask.ask([question], lambda _, text: read(text))
    assert answer.value
    assert len(stub.asked) == 1 + len(faults)


def read(text):
    if not re.fullmatch(r'\{"request": ".+"\}', text):
        raise ValueError("answer is not of the form")
    return text


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_out_is_asked_again_and_counted_as_paid(kind, stub, configure, asker, tmp_path):
    stub.faults = ["hang"]
    ask = asker(configure(kind), timeout=0.5)
    (answer,) = ask.ask([Question("s", '5 to 9 words {"request"}')], lambda _, text: text)
    assert answer.value
    (line,) = ask.ledger.report()
    assert "1 answered, 1 time-out" in line
    _, tokens = spent(tmp_path / "answers.sqlite")
    assert tokens > 120 + 1500  # the answer, and what the lost call may have cost


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("invalid", "answer is no JSON"),
        ("form", "answer is not of the form"),
        ("length", "half an answer"),
        ("refusal", "refusal"),
        (400, "the endpoint refuses the question"),
    ],
)
def test_what_cannot_be_used_is_dropped_with_its_reason(
    fault, reason, stub, library, configure, tmp_path
):
    config = configure(judge=False, endpoint={"concurrency": 1})
    stub.faults = [None] * 5 + [fault] * (1 if fault == 400 else config.model.attempts)
    reports, _ = make(library, tmp_path / "out", config)
    assert reports["write"].summary == f"13 requests; dropped 1: 1 {reason}"
    before = rows_of(tmp_path / "out")
    asked = len(stub.asked)
    make(library, tmp_path / "out", config, ("write",))
    if fault != 400:  # which cost nothing, and may be otherwise another time
        assert rows_of(tmp_path / "out") == before
        assert len(stub.asked) == asked


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([429] * 7, r"writer fails \(429\) after 6 retries; every answer so far is kept"),
        ([401], "the endpoint answers 401: it does not take the key"),
        ([404], "the endpoint answers 404: "),
        ([307], "the endpoint answers 307: it sends elsewhere; give that address as url"),
        ([400] * 9, "the endpoint takes no question, it answers 400"),
    ],
)
def test_an_endpoint_that_fails_ends_the_run_in_one_line(
    kind, faults, message, stub, library, configure, asker, tmp_path
):
    config = configure(kind, judge=False, endpoint={"attempts": 3, "concurrency": 1})
    make(library, tmp_path / "out", config, ("filter",))
    if faults[0] == 400:
        ask = asker(config, concurrency=1)
        stub.faults = list(faults)
        questions = [Question("s", f"{n} {{}}") for n in range(9)]
        with pytest.raises(ServiceError, match=message):
            ask.ask(questions, lambda _, text: text)
        return
    stub.faults = list(faults)
    with pytest.raises(ServiceError, match=message) as error:
        make(library, tmp_path / "out", config, ("tag",))
    assert KEY not in str(error.value)
    assert "\n" not in str(error.value)
    reports, _ = make(library, tmp_path / "out", config)
    assert reports["card"].fresh


def test_nothing_is_paid_twice_when_a_run_fails_in_the_middle(stub, library, configure, tmp_path):
    config = configure(endpoint={"retries": 0})
    make(library, tmp_path / "whole", config)
    whole = rows_of(tmp_path / "whole")
    asked = len(stub.asked)
    stub.asked.clear()
    failures = 0
    for at in (0, 4, 9, 15, 22):
        # `at` questions are answered, and the next one fails.
        left = at - len(stub.asked) + failures
        if left >= 0:
            stub.faults = [None] * left + [500]
            with pytest.raises(ServiceError):
                make(library, tmp_path / "out", config)
            failures += 1
            stub.faults = []
    make(library, tmp_path / "out", config)
    assert failures >= 3
    assert len(stub.asked) == asked + failures
    assert rows_of(tmp_path / "out") == whole


def test_a_budget_stops_before_it_is_gone_and_a_higher_one_goes_on(
    stub, library, configure, tmp_path
):
    whole = configure()
    make(library, tmp_path / "whole", whole)
    asked = len(stub.asked)
    stub.asked.clear()
    # A call costs at most 1,500 tokens of answer and what is asked, 3 or 4 thousandths in all.
    for cost in (0.005, 0.0065):
        config = configure(budget={"cost": cost})
        with pytest.raises(BudgetReachedError, match="raise it and run the same command to go on"):
            make(library, tmp_path / "out", config)
        assert 0 < spent(tmp_path / "out" / "steps" / "answers.sqlite")[0] <= cost
    make(library, tmp_path / "out", configure(budget={"cost": 1.0}))
    assert len(stub.asked) == asked
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "whole")
    with pytest.raises(BudgetReachedError, match=r"tokens of \[budget\] tokens = 1000"):
        make(library, tmp_path / "small", configure(budget={"tokens": 1000}))
    assert len(stub.asked) == asked


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_run_that_is_killed_while_it_asks_goes_on(stub, library, configure, tmp_path):
    config = tmp_path / "make.toml"
    config.write_text(
        "".join(
            f'[{section}]\nkind = "openai"\nurl = "{stub.url}/v1"\nname = "{name}"\n'
            'key = "MAKE_KEY"\nconcurrency = 2\n'
            for section, name in (("model", "writer"), ("judge", "judge"))
        )
    )
    command = [sys.executable, "-m", "skillret", "data", "make", str(library)]
    command += ["--config", str(config), "--output"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([*command, str(tmp_path / "whole")], env=environment, check=True)
    asked = len(stub.asked)
    assert done.returncode == 0
    stub.asked.clear()
    lost = 0
    for answered in (3, 9):
        before = len(stub.asked)
        held = threading.Event()

        def answer(system, user, before=before, answered=answered, held=held):
            if len(stub.asked) - before > answered:
                stub.reached.set()
                held.wait(60)
            return default_answer(system, user)

        stub.answer = answer
        stub.reached.clear()
        started = subprocess.Popen(
            [*command, str(tmp_path / "out")], env=environment, stdout=subprocess.DEVNULL
        )
        assert stub.reached.wait(60)
        started.send_signal(signal.SIGKILL)
        started.wait()
        held.set()
        lost += 2  # at most those that were on their way
    stub.answer = default_answer
    subprocess.run([*command, str(tmp_path / "out")], env=environment, check=True)
    assert asked <= len(stub.asked) <= asked + lost
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "whole")


def test_the_key_is_sent_and_written_nowhere(stub, library, configure, tmp_path, capsys):
    make(library, tmp_path / "out", configure())
    assert set(stub.keys) == {f"Bearer {KEY}"}
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
    stub.faults = [None] * 5 + [400]  # whose message repeats the header
    make(library, tmp_path / "other", configure(judge=False, endpoint={"concurrency": 1}))
    assert not any(
        KEY.encode() in f.read_bytes() for f in (tmp_path / "other").rglob("*") if f.is_file()
    )


def test_without_a_key_the_variable_is_named(stub, library, configure, tmp_path, monkeypatch):
    monkeypatch.delenv("MAKE_KEY")
    with pytest.raises(InputError, match="its key in the environment variable MAKE_KEY"):
        make(library, tmp_path / "out", configure())
    assert stub.asked == []


def test_no_more_are_asked_at_a_time_than_is_allowed(stub, configure, asker, tmp_path):
    stub.hold = threading.Event()
    ask = asker(configure(), concurrency=3)
    questions = [Question("s", f'{n} 5 to 9 words {{"request"}}') for n in range(12)]
    thread = threading.Thread(target=lambda: ask.ask(questions, lambda _, text: text))
    thread.start()
    assert stub.reached.wait(60)
    stub.hold.set()
    thread.join()
    assert len(stub.asked) == 12
    assert stub.most <= 3


def test_a_limit_a_minute_spaces_calls_evenly():
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    limit = RateLimit(30, lambda: now[0], sleep)
    for _ in range(4):
        limit.wait()
    assert slept == [2, 2, 2]
    now[0] += 60
    limit.wait()
    assert slept == [2, 2, 2]


def test_equal_questions_are_asked_once(stub, configure, asker, tmp_path):
    ask = asker(configure())
    question = Question("s", '5 to 9 words {"request"}')
    answers = ask.ask([question] * 5, lambda _, text: text)
    assert len({a.value for a in answers}) == 1
    assert len(stub.asked) == 1


def test_an_estimate_asks_nothing_and_is_no_less_than_what_is_used(
    stub, library, configure, tmp_path, capsys
):
    config = tmp_path / "make.toml"
    config.write_text(
        f'[model]\nkind = "openai"\nurl = "{stub.url}/v1"\nname = "m"\nkey = "MAKE_KEY"\n'
        "input_price = 10.0\noutput_price = 30.0\n"
    )
    arguments = ["data", "make", str(library), "--config", str(config), "--output"]
    status, out, _ = run(capsys, *arguments, str(tmp_path / "out"), "--estimate")
    assert status == 0
    assert stub.asked == []
    assert not (tmp_path / "out").exists()
    calls = int(re.search(r"together: (\d+) calls", out)[1])
    run(capsys, *arguments, str(tmp_path / "out"))
    assert len(stub.asked) == calls


def test_without_the_extra_the_command_says_how_to_get_it(
    stub, library, configure, tmp_path, capsys, monkeypatch
):
    config = tmp_path / "make.toml"
    config.write_text(
        f'[model]\nkind = "openai"\nurl = "{stub.url}/v1"\nname = "m"\nkey = "MAKE_KEY"\n'
    )
    found = sys.modules["importlib.util"].find_spec
    monkeypatch.setattr(
        "skillret.extras.find_spec", lambda name: None if name == "openai" else found(name)
    )
    arguments = ["data", "make", str(library), "--config", str(config)]
    line = fails(capsys, *arguments, "--output", str(tmp_path / "out"))
    assert "needs openai: pip install 'skillret[make]'" in line
