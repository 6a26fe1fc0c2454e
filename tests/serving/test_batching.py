import asyncio

import pytest

from skillret.serving.batching import Batches


class Slow:
    """Answers in capitals, each call as soon as it is let go."""

    def __init__(self):
        self.calls = []
        self.gates = []

    async def __call__(self, kind, texts):
        gate = asyncio.Event()
        self.calls.append((kind, list(texts)))
        self.gates.append(gate)
        await gate.wait()
        if "bad" in texts:
            raise ValueError("bad text")
        return [f"{kind}:{text.upper()}" for text in texts]


async def turns(times=5):
    for _ in range(times):
        await asyncio.sleep(0)


def run(work):
    return asyncio.run(asyncio.wait_for(work(), 30))


def test_first_goes_at_once_and_the_others_together():
    async def work():
        slow = Slow()
        batches = Batches(slow)
        asked = [asyncio.ensure_future(batches.ask("k", "a"))]
        await turns()
        assert slow.calls == [("k", ["a"])]
        asked += [asyncio.ensure_future(batches.ask("k", text)) for text in "bcbc"]
        await turns()
        assert len(slow.calls) == 1
        slow.gates[0].set()
        await turns()
        assert slow.calls[1] == ("k", ["b", "c"])  # identical ones cost one
        slow.gates[1].set()
        assert await asyncio.gather(*asked) == ["k:A", "k:B", "k:C", "k:B", "k:C"]

    run(work)


def test_who_asks_later_is_not_given_what_was_computed_before():
    async def work():
        slow = Slow()
        batches = Batches(slow)
        first = asyncio.ensure_future(batches.ask("k", "a"))
        await turns()
        second = asyncio.ensure_future(batches.ask("k", "a"))  # perhaps after a change
        await turns()
        slow.gates[0].set()
        await turns()
        assert len(slow.calls) == 2
        slow.gates[1].set()
        await asyncio.gather(first, second)

    run(work)


def test_kinds_do_not_wait_for_each_other_and_calls_are_bounded():
    async def work():
        slow = Slow()
        batches = Batches(slow, most=2)
        asked = [asyncio.ensure_future(batches.ask(kind, "a")) for kind in ("x", "y")]
        await turns()
        assert [kind for kind, _ in slow.calls] == ["x", "y"]
        asked += [asyncio.ensure_future(batches.ask("x", text)) for text in "bcd"]
        slow.gates[0].set()
        await turns()
        assert slow.calls[2] == ("x", ["b", "c"])
        slow.gates[2].set()
        await turns()
        assert slow.calls[3] == ("x", ["d"])
        for gate in slow.gates:
            gate.set()
        await asyncio.gather(*asked)

    run(work)


def test_an_error_is_that_of_its_call_alone():
    async def work():
        slow = Slow()
        batches = Batches(slow)
        first = asyncio.ensure_future(batches.ask("k", "bad"))
        await turns()
        second = asyncio.ensure_future(batches.ask("k", "good"))
        await turns()
        slow.gates[0].set()
        with pytest.raises(ValueError, match="bad text"):
            await first
        slow.gates[1].set()
        assert await second == "k:GOOD"

    run(work)


def test_who_goes_away_takes_nothing_from_the_others():
    async def work():
        slow = Slow()
        batches = Batches(slow)
        gone = asyncio.ensure_future(batches.ask("k", "a"))
        await turns()
        waiting = [asyncio.ensure_future(batches.ask("k", "b")) for _ in range(2)]
        await turns()
        gone.cancel()
        waiting[0].cancel()
        slow.gates[0].set()
        await turns()
        slow.gates[1].set()
        assert await waiting[1] == "k:B"
        assert gone.cancelled()

    run(work)


def test_what_nobody_waits_for_any_more_is_not_asked_for():
    async def work():
        slow = Slow()
        batches = Batches(slow)
        first = asyncio.ensure_future(batches.ask("k", "a"))
        await turns()
        left = [asyncio.ensure_future(batches.ask("k", text)) for text in "bbc"]
        await turns()
        left[0].cancel()
        left[2].cancel()
        await turns()
        slow.gates[0].set()
        await turns()
        assert slow.calls == [("k", ["a"]), ("k", ["b"])]
        slow.gates[1].set()
        assert await asyncio.gather(first, left[1]) == ["k:A", "k:B"]
        assert not batches._waiting

    run(work)
