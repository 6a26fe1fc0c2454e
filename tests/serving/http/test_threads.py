import asyncio
import threading

from skillret.serving.http.threads import Threads


def run(work):
    return asyncio.run(asyncio.wait_for(work(), 60))


def test_writers_of_one_library_do_not_hold_up_those_of_others():
    async def work():
        threads, go, begun, at_work = Threads(writers=2), threading.Event(), [], threading.Event()

        def wait(number):
            begun.append(number)
            at_work.set()
            go.wait(60)
            return number

        waiting = [asyncio.ensure_future(threads.write("a", wait, n)) for n in range(4)]
        try:
            assert await threads.read(at_work.wait, 60)
            assert await threads.write("b", lambda: "done") == "done"
            assert begun == [0]
        finally:
            go.set()
        assert await asyncio.gather(*waiting) == [0, 1, 2, 3]
        assert not threads._turns

    run(work)


def test_how_the_server_is_can_be_seen_while_all_readers_are_at_work():
    async def work():
        threads, go = Threads(readers=1), threading.Event()
        waiting = [asyncio.ensure_future(threads.read(go.wait, 60)) for _ in range(3)]
        try:
            assert await threads.look(lambda: "well") == "well"
            assert not any(each.done() for each in waiting)
        finally:
            go.set()
        assert await asyncio.gather(*waiting) == [True] * 3

    run(work)
