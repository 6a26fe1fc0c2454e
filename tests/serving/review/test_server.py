import http.client
import json
import threading
from contextlib import contextmanager

import pytest
from tests.datasets.make.conftest import write_library
from tests.datasets.make.test_pipeline import make
from tests.serving.page.conftest import browser  # noqa: F401

from skillret.datasets.make.reviews import read_reviews
from skillret.datasets.row_files import read_rows, write_rows
from skillret.errors import InputError
from skillret.serving.review import ReviewServer

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
def benchmark(tmp_path):
    library = write_library(tmp_path / "library")
    out = tmp_path / "out"
    make(library, out, {})
    file = out / "steps" / "check.jsonl"
    rows = list(read_rows(file))
    rows[0]["query"] = f"first {EVIL}"
    write_rows(file, rows)
    return out


@contextmanager
def reviewing(folder, reviewer="ann"):
    with ReviewServer(folder, reviewer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server, method, path, document=None, **headers):
    connection = http.client.HTTPConnection(*server.server_address)
    body = None if document is None else json.dumps(document)
    kind = {} if document is None else {"Content-Type": "application/json"}
    connection.request(method, path, body, {**kind, **headers})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer, data


def test_requests_are_shown_and_decisions_stored(benchmark):
    with reviewing(benchmark) as server:
        answer, data = ask(server, "GET", "/requests")
        listed = json.loads(data)
        assert answer.status == 200
        assert listed["reviewer"] == "ann"
        first = listed["requests"][0]["id"]
        shown = json.loads(ask(server, "GET", f"/requests/{first}")[1])
        assert shown["query"] == f"first {EVIL}"
        assert shown["skills"][0]["description"]
        answer, _ = ask(server, "POST", "/decisions", {"id": first, "decision": "reject"})
        assert answer.status == 200
        assert read_reviews(benchmark)["ann"][first]["decision"] == "reject"
        answer, data = ask(server, "POST", "/decisions", {"id": "other", "decision": "reject"})
        assert (answer.status, json.loads(data)) == (400, {"error": "there is no such request"})
    with reviewing(benchmark) as server:  # goes on where it was
        assert server.listed()[0]["decision"] == "reject"


def test_every_answer_forbids_what_the_page_does_not_need(benchmark):
    with reviewing(benchmark) as server:
        for path in ("/", "/review.js", "/review.css", "/requests", "/nothing"):
            answer, data = ask(server, "GET", path)
            policy = answer.getheader("Content-Security-Policy")
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert answer.getheader("X-Content-Type-Options") == "nosniff"
            assert b"http://" not in data and b"https://" not in data


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
)
def test_no_other_page_may_call(headers, benchmark):
    with reviewing(benchmark) as server:
        assert ask(server, "GET", "/requests", **headers)[0].status == 403
        row = {"id": next(iter(server.requests)), "decision": "reject"}
        assert ask(server, "POST", "/decisions", row, **headers)[0].status == 403
    assert read_reviews(benchmark) == {}


def test_a_form_of_another_page_stores_nothing(benchmark):
    with reviewing(benchmark) as server:
        row = {"id": next(iter(server.requests)), "decision": "reject"}
        answer, _ = ask(server, "POST", "/decisions", row, **{"Content-Type": "text/plain"})
        assert answer.status == 400
        answer, _ = ask(server, "POST", "/decisions", {"id": "x" * 70_000})
        assert answer.status == 400
        for path in ("/../steps/check.jsonl", "/review.py", "/requests/../../x"):
            assert ask(server, "GET", path)[0].status == 404


def test_there_must_be_something_to_review(tmp_path):
    (tmp_path / "steps").mkdir()
    with pytest.raises(InputError, match="has no requests yet"):
        ReviewServer(tmp_path, "ann")
    with pytest.raises(InputError, match="is no name"):
        ReviewServer(tmp_path, "../ann")


def test_a_person_reviews_with_the_keyboard(benchmark, browser):  # noqa: F811
    expect = pytest.importorskip("playwright.sync_api").expect
    with reviewing(benchmark) as server:
        context = browser.new_context()
        page, wrong = context.new_page(), []
        page.set_default_timeout(60_000)
        page.on("console", lambda m: wrong.append(m.text) if "favicon" not in m.location else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("dialog", lambda d: wrong.append(d.message))
        page.goto(server.url)
        total = len(server.requests)
        expect(page.locator("#count")).to_have_text(f"ann: 1 of {total}, 0 decided")
        assert page.inner_text("#query") == f"first {EVIL}"
        page.keyboard.press("a")
        expect(page.locator("#count")).to_have_text(f"ann: 2 of {total}, 1 decided")
        page.keyboard.press("e")
        page.fill("#text", "said in another way")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#count")).to_have_text(f"ann: 3 of {total}, 2 decided")
        page.keyboard.press("r")
        expect(page.locator("#count")).to_have_text(f"ann: 4 of {total}, 3 decided")
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#mine")).to_have_text("reject")
        context.close()
        assert [text for text in wrong if "404" not in text] == []
    ids = list(server.requests)
    said = read_reviews(benchmark)["ann"]
    assert [said[i]["decision"] for i in ids[:3]] == ["accept", "correct", "reject"]
    assert said[ids[1]]["query"] == "said in another way"
