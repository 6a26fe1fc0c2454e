import pytest

from skillret.retrieval.query import clean_query
from skillret.retrieval.traces import trace

PYTHON = """Traceback (most recent call last):
  File "report.py", line 3, in <module>
    run(x)
    ~~~^^^
SlowQuery: SQL query is slow"""
JAVASCRIPT = """SlowQuery: SQL query is slow
    at run (/app/report.js:3:5)
    at main (/app/report.js:9:1)"""
JAVA = """Exception in thread "main" com.acme.SlowQuery: SQL query is slow
\tat com.acme.Report.run(Report.java:3)
\tat com.acme.Report.main(Report.java:9)
Caused by: java.net.Timeout: database is slow
\t... 2 more"""
DOTNET = """Unhandled exception. Acme.SlowQuery: SQL query is slow
   at Acme.Report.Run() in /app/Report.cs:line 3
   at Acme.Report.Main(String[] args) in /app/Report.cs:line 9"""
TRACES = [PYTHON, JAVASCRIPT, JAVA, DOTNET]


@pytest.mark.parametrize("text", [*TRACES, "Traceback (most recent call last):\nKeyboardInterrupt"])
def test_all_of_a_trace_is_told(text):
    lines = ["Look at this:", "", *text.split("\n"), "", "Thanks, Ann"]
    assert trace(lines) == [False] * 2 + [True] * (len(lines) - 4) + [False] * 2


@pytest.mark.parametrize(
    "text", ["Fix this:\n    at run (report.js:3:5)", "What is slow\n  at run(a.js)"]
)
def test_a_request_above_the_calls_is_none(text):
    assert trace(text.split("\n")) == [False, True]


@pytest.mark.parametrize("text", ["", "Meet me\nat noon", "Note: it is late\nKeyError: 'pods'"])
def test_what_has_no_calls_is_no_trace(text):
    assert not any(trace(text.split("\n")))


@pytest.mark.parametrize("text", TRACES)
@pytest.mark.parametrize("request_", ["Please translate this to French:", "Summarize this"])
def test_who_wants_something_done_to_a_trace_does_not_ask_about_the_error(text, request_):
    for query in (f"{request_}\n\n{text}", f"{request_}\n{text}", f"{text}\n\n{request_}"):
        assert "slow" not in clean_query(query).lower()


@pytest.mark.parametrize("text", [PYTHON, JAVASCRIPT])
def test_who_asks_for_help_does(text):
    assert "SQL query is slow" in clean_query(f"{text}\n\nOur deploy broke, can you check?")
