"""What MCP costs beside the library: the same queries, in turn, over stdio and in this process.

    python benchmarks/mcp_speed.py [--library DIR] [--calls N]

Prints a Markdown table. The last row should stay below 5 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time

import anyio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from skillret import Retriever

QUERIES = (
    "turn this scanned PDF into a spreadsheet",
    "my pods keep restarting, find out why",
    "write release notes from the commits since the last tag",
    "thanks, that is all for today",
)


async def measure(library: str, calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call, and of the start until the tools are listed."""
    times: dict[str, list[float]] = {"start": [], "library": [], "mcp": []}
    arguments = ["-m", "skillret", "mcp", "--library", library]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    with Retriever.open(library=library) as retriever:
        start = time.perf_counter()
        async with Client(server) as client:
            await client.list_tools()
            times["start"].append(1000 * (time.perf_counter() - start))
            for number in range(-len(QUERIES), calls):  # the first ones warm both up
                query = QUERIES[number % len(QUERIES)]
                start = time.perf_counter()
                retriever.look_up(query, 5)
                middle = time.perf_counter()
                await client.call_tool("search_skills", {"query": query})
                if number >= 0:
                    times["library"].append(1000 * (middle - start))
                    times["mcp"].append(1000 * (time.perf_counter() - middle))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", default="examples/skills")
    parser.add_argument("--calls", type=int, default=200)
    args = parser.parse_args()
    times = anyio.run(measure, args.library, args.calls)
    library, mcp = (statistics.median(times[name]) for name in ("library", "mcp"))
    print("| | median, ms |\n|---|---:|")
    print(f"| start of the process until tools/list is answered | {times['start'][0]:.0f} |")
    print(f"| `look_up` in this process | {library:.2f} |")
    print(f"| `search_skills` over stdio | {mcp:.2f} |")
    beyond = statistics.median(b - a for a, b in zip(times["library"], times["mcp"], strict=True))
    print(f"| beyond the library's own call | {beyond:.2f} |")


if __name__ == "__main__":
    main()
