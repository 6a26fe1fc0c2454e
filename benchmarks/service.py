"""What the service costs beside the library: one client, many clients, memory, many tenants.

    npm install --prefix NODE autocannon
    python benchmarks/service.py --index INDEX --dataset DATA --split dev2 --autocannon NODE

INDEX is an index of the split's skills (`skillret index build --dataset DATA --split dev2 --index
INDEX`). The load comes from autocannon, each connection with other queries than the others; the
baseline are the library's own calls in this process, by turns with the server's. Prints a Markdown
table.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from skillret import Index, Retriever
from skillret.datasets.dataset import load_dataset
from skillret.serving.libraries import Libraries

_LOAD = """
const autocannon = require('autocannon');
const asked = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
const { url, queries, ...options } = asked;
let clients = 0;
const requests = queries.map(query => ({
  method: 'POST', path: '/v1/search',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ query, k: 5 }),
}));
autocannon({
  url, ...options, requests,
  setupClient: client => {
    const from = Math.floor(requests.length * (clients++) / options.connections);
    client.setRequests([...requests.slice(from), ...requests.slice(0, from)]);
  },
}).then(result => console.log(JSON.stringify(result)));
"""


class Server:
    """`skillret serve` in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "skillret", "serve", "--port", "0", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if "serving at" in line)
        self.url = line.split("serving at ")[1].split(";")[0]
        # Its log is read, as a service manager would, and thrown away.
        threading.Thread(target=lambda: [None for _ in self.process.stderr or ()]).start()
        while httpx.get(f"{self.url}/readyz").status_code != 200:
            time.sleep(0.2)

    @property
    def pids(self) -> list[int]:
        """The process and its children."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, task.read_text().split())]

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        pages = (int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in self.pids)
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def seconds(self) -> float:
        """Processor time so far."""
        stats = (Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split() for p in self.pids)
        return sum(int(s[11]) + int(s[12]) for s in stats) / os.sysconf("SC_CLK_TCK")

    @property
    def descriptors(self) -> int:
        """Of all its processes."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.pids)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


@contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    server = Server(*arguments)
    try:
        yield server
    finally:
        server.close()


def load(node: str, server: Server, queries: Sequence[str], **options: Any) -> dict[str, Any]:
    """What autocannon says of some load."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "asked.json"
        asked.write_text(json.dumps({"url": server.url, "queries": list(queries), **options}))
        done = subprocess.run(
            ["node", "-e", _LOAD, "load", str(asked)],
            env={**os.environ, "NODE_PATH": f"{node}/node_modules"},
            capture_output=True,
            text=True,
            check=True,
        )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def one_client(retriever: Retriever, server: Server, queries: Sequence[str]) -> tuple[float, float]:
    """Median milliseconds of a library call and of a request, by turns."""
    library, http = [], []
    with httpx.Client(timeout=60) as client:
        for number, query in enumerate(queries):
            start = time.perf_counter()
            retriever.search(query, 5)
            middle = time.perf_counter()
            client.post(f"{server.url}/v1/search", json={"query": query, "k": 5})
            if number >= 20:  # the first ones warm both up
                library.append(middle - start)
                http.append(time.perf_counter() - middle)
    return 1000 * statistics.median(library), 1000 * statistics.median(http)


def batched(
    retriever: Retriever, queries: Sequence[str], seconds: float, threads: int
) -> tuple[float, float]:
    """Queries a second of the library, 32 in each call; processor milliseconds of a query."""
    end = time.perf_counter() + seconds

    def work(first: int) -> int:
        done = 0
        while time.perf_counter() < end:
            at = (first + done) % (len(queries) - 32)
            retriever.search_batch(queries[at : at + 32], 5)
            done += 32
        return done

    start, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(work, range(0, 500 * threads, 500)))
    rate = done / (time.perf_counter() - start)
    return rate, 1000 * (time.process_time() - busy) / done


def tenants(
    index: str, queries: Sequence[str], count: int, skills: int, say: Callable[[str, str], None]
) -> None:
    """Many libraries, each searched several times."""
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "served"
        with Index.open(index) as known:
            some = [skill for _, skill in zip(range(skills), known.skills(), strict=False)]
        libraries = Libraries(served)
        libraries.create("t0")
        with libraries.lent("t0") as retriever:
            retriever.index.add(some)
        libraries.close()
        for number in range(1, count):  # encoding the same once more would only take time
            shutil.copytree(served / "t0", served / f"t{number}")
        (Path(folder) / "none").mkdir()
        arguments = ("--index", index, "--data", str(served), "--log-format", "json")
        with serving(*arguments) as server:
            empty = server.megabytes
            times: list[float] = []
            failed: list[str] = []

            def ask(number: int) -> None:
                body = {"query": queries[number % len(queries)], "library": f"t{number % count}"}
                start = time.perf_counter()
                reply = client.post(f"{server.url}/v1/search", json=body)
                times.append(time.perf_counter() - start)
                if reply.status_code != 200 or len(reply.json()["hits"]) != 5:
                    failed.append(reply.text)

            with httpx.Client(timeout=120) as client, ThreadPoolExecutor(8) as pool:
                list(pool.map(ask, range(3 * count)))
            say(
                f"{count} tenants of {skills} skills, 8 clients, 3 searches of each: errors",
                str(len(failed)),
            )
            say(
                "memory, MB (with the default library alone)",
                f"{server.megabytes:.0f} ({empty:.0f})",
            )
            say("descriptors", str(server.descriptors))
            say("median of a search that opens a library, ms", f"{_median(times):.1f}")


def _median(seconds: Sequence[float]) -> float:
    return 1000 * statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", default="dev2")
    parser.add_argument("--autocannon", required=True, help="where npm has installed it")
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=500)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    queries = [q.text for q in load_dataset(args.dataset, args.split).queries]
    random.Random(0).shuffle(queries)  # long and short ones, for both sides alike
    print("| | |\n|---|---:|")

    def say(what: str, value: str) -> None:
        print(f"| {what} | {value} |", flush=True)

    with (
        tempfile.TemporaryDirectory() as data,
        Retriever.open(index=args.index) as retriever,
        serving("--index", args.index, "--data", data, "--workers", str(args.workers)) as server,
    ):
        library, http = one_client(retriever, server, queries[: args.calls])
        say("one client: median of a library call, ms", f"{library:.2f}")
        say("one client: median of a request, ms (ratio)", f"{http:.2f} ({http / library:.2f})")
        load(args.autocannon, server, queries, connections=32, amount=1000)
        first = server.megabytes
        part = args.seconds / 4
        own = [batched(retriever, queries, part, threads) for threads in (1, 2)]
        busy = server.seconds
        found = load(
            args.autocannon, server, queries, connections=32, duration=args.seconds, timeout=60
        )
        busy = 1000 * (server.seconds - busy) / found["requests"]["total"]
        own += [batched(retriever, queries, part, threads) for threads in (1, 2)]
        one, two = (max(rate for rate, _ in own[first::2]) for first in (0, 1))
        best, least = max(one, two), statistics.median(cpu for _, cpu in own)
        rate, latency = found["requests"]["average"], found["latency"]
        say("32 clients: errors", str(found["errors"] + found["non2xx"] + found["timeouts"]))
        say("library, 32 queries in each call, a second: one thread, two", f"{one:.1f}, {two:.1f}")
        say(
            "32 clients: requests a second (ratio to one thread, to the better)",
            f"{rate:.1f} ({rate / one:.2f}, {rate / best:.2f})",
        )
        say(
            "processor time of a query: library, server, ms (ratio)",
            f"{least:.1f}, {busy:.1f} ({busy / least:.2f})",
        )
        p50, p99 = latency["p50"], latency["p99"]
        say("32 clients: median and p99, ms (ratio)", f"{p50:.0f}, {p99:.0f} ({p99 / p50:.1f})")
        if args.requests:
            more = {"connections": 32, "amount": args.requests, "timeout": 60}
            load(args.autocannon, server, queries, **more)
            last = server.megabytes
            say(
                f"memory after 1,000 and {args.requests:,} more requests, MB (ratio)",
                f"{first:.0f}, {last:.0f} ({last / first:.2f})",
            )
    if args.tenants:
        tenants(args.index, queries, args.tenants, 60, say)


if __name__ == "__main__":
    main()
