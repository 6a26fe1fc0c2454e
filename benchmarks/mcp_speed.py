"""What MCP costs beside the library: the same queries, in turn, over stdio and in this process.

    python benchmarks/mcp_speed.py [--library DIR] [--calls N]

Prints two Markdown tables. The first one is by the clock; its last row should stay below 5 ms on a
machine that is idle. The second one is processor time, which other programs hardly disturb: client
and server are in one process there, and a tool that gives the same answer without a search says
what of it is the SDK's own.
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
from mcp.server.mcpserver import MCPServer

from skillret import Retriever
from skillret.serving.mcp import OpenLater, Skills, create_server

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


async def processor(retriever: Retriever, calls: int) -> dict[str, float]:
    """Milliseconds of processor time of a call, client and server together."""
    answers: dict[str, Skills] = {}
    bare: MCPServer[None] = MCPServer("bare", log_level="WARNING")

    @bare.tool()
    async def search_skills(query: str, k: int = 5) -> Skills:
        return answers[query]

    times: dict[str, float] = {}
    for name, server in (("mcp", create_server(OpenLater(lambda: retriever))), ("bare", bare)):
        async with Client(server) as client:
            for number in range(-len(QUERIES), calls):
                if number == 0:
                    start = time.process_time()
                query = QUERIES[number % len(QUERIES)]
                found = await client.call_tool("search_skills", {"query": query})
                if name == "mcp" and number < 0:
                    answers[query] = Skills.model_validate(found.structured_content)
            times[name] = 1000 * (time.process_time() - start) / calls
    start = time.process_time()
    for number in range(calls):
        retriever.look_up(QUERIES[number % len(QUERIES)], 5)
    times["library"] = 1000 * (time.process_time() - start) / calls
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
    with Retriever.open(library=args.library) as retriever:
        spent = anyio.run(processor, retriever, args.calls)
    print("\n| | processor time, ms |\n|---|---:|")
    print(f"| `look_up` | {spent['library']:.2f} |")
    print(f"| `search_skills`, client and server | {spent['mcp']:.2f} |")
    print(f"| the SDK with the same answer and no search | {spent['bare']:.2f} |")
    ours = spent["mcp"] - spent["bare"] - spent["library"]
    print(f"| ours: beyond the SDK and the library | {ours:.2f} |")


if __name__ == "__main__":
    main()
