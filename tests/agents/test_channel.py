import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.agents.channel import MOST_BYTES, VARIABLES, identity, pack, socket_name, unpack
from skillret.skills.agents import AGENTS
from tests.conftest import ROOT


def reader(data, step):
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    return lambda _: pieces.pop(0) if pieces else b""


@given(st.lists(st.binary(), min_size=1, max_size=7), st.integers(1, 9))
def test_a_message_arrives_in_any_pieces(parts, step):
    assert unpack(reader(pack(parts), step)) == parts
    with pytest.raises(ValueError, match="message"):
        unpack(reader(pack(parts)[:-1], step))


@pytest.mark.parametrize("data", [b"", b"x\n", b"-1\n", b"1 \n ", b"9" * 999, b"%d\n" % 10**12])
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ValueError, match="message"):
        unpack(reader(data + b"x" * 300, 7))
    with pytest.raises(ValueError, match="message"):
        unpack(reader(pack([bytes(MOST_BYTES), bytes(MOST_BYTES)]), 1 << 16))


def test_whoever_differs_in_home_settings_or_places_of_agents_has_another_process(monkeypatch):
    assert {variable for agent in AGENTS for variable, _ in agent.moved_by} <= set(VARIABLES)
    before = identity()
    assert identity() == before
    for name in ("HOME", "SKILLRET_HIDE", "CODEX_HOME"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "/elsewhere")
            assert identity()[:8] != before[:8]


def test_where_a_socket_s_name_would_be_too_long_there_is_a_port():
    who = identity()
    assert socket_name("/short", who)[1]
    path, unix = socket_name("/" + "x" * 100, who)
    assert not unix
    assert path.endswith(".port")


def test_a_hook_imports_hardly_anything_on_the_way_to_a_warm_process():
    code = (
        "import sys; before = set(sys.modules);"
        "import skillret.agents.hook, skillret.agents.channel;"
        "skillret.agents.channel.ask([], 0); print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    own = {"skillret", "skillret._version", "skillret.agents"}
    own |= {f"skillret.agents.{name}" for name in ("channel", "hook", "private")}
    assert set(done.stdout.split()) <= own | {"_socket"}
