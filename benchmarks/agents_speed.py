"""What a hook costs an agent at each prompt, as whole processes.

Run from the repository root: `python benchmarks/agents_speed.py`. Each row is a ratio from one run:
the hook and what it is compared with take turns, and medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

IMPORTS = "import numpy, onnxruntime, tokenizers"
PROMPT = "turn this scanned PDF into a spreadsheet"


def process(environment: dict[str, str], event: bytes, *command: str) -> Callable[[], bytes]:
    """Run Python with a command, an event on its stdin."""
    return lambda: (
        subprocess.run(
            [sys.executable, *command],
            input=event,
            capture_output=True,
            check=True,
            env=environment,
        ).stdout
    )


def interleaved(a: Callable[[], object], b: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median seconds of two actions that take turns."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(runs):
        for action, taken in zip((a, b), times, strict=True):
            start = time.perf_counter()
            action()
            taken.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--library", type=Path, default=Path("examples/skills"))
    parser.add_argument("--runs", type=int, default=15, help="runs of each process")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sr-") as scratch:
        home = Path(scratch)
        shutil.copytree(args.library, home / ".claude" / "skills")
        dropped = ("PYTHONDONTWRITEBYTECODE", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
        kept = {k: v for k, v in os.environ.items() if k not in dropped}
        kept |= {"HOME": scratch, "SKILLRET_HOOK_SECONDS": "60"}
        # Without a session: it names the skill each time.
        event = {"hook_event_name": "UserPromptSubmit", "cwd": scratch, "prompt": PROMPT}
        data = json.dumps(event).encode()
        program = home / "skillret"  # as an installer writes it
        program.write_text("from skillret.__main__ import entry\nentry()\n")
        command = (str(program), "hook", "claude-code")
        print("| what | ours | baseline | ratio | limit |\n|---|---:|---:|---:|---:|")
        cold = process(kept | {"SKILLRET_WARM": "0"}, data, *command)
        assert cold(), "the prompt should name a skill"  # and builds the index
        ours, base = interleaved(cold, process(kept, b"", "-c", IMPORTS), args.runs)
        print(
            f"| hook, no warm process | {ours * 1000:.0f} ms | `{IMPORTS}` {base * 1000:.0f} ms"
            f" | {ours / base:.2f} | <= 2.2 |"
        )
        code = "from skillret.agents.warm import main; main()"
        served = subprocess.Popen(
            [sys.executable, "-c", code, "--", "claude-code", scratch], env=kept
        )
        try:
            warm = process(kept, data, *command)
            folder = home / ".local" / "state" / "skillret" / "agents"
            while not list(folder.glob("warm-*.sock")):
                time.sleep(0.1)
            assert warm(), "the prompt should name a skill"
            ours, base = interleaved(warm, process(kept, b"", "-c", "pass"), args.runs)
        finally:
            served.kill()
            served.wait()
        limit = 1.3 * base + 0.015
        print(
            f"| hook, by a warm process | {ours * 1000:.0f} ms | `pass` {base * 1000:.0f} ms;"
            f" 1.3 of it and 15 ms: {limit * 1000:.0f} ms | {ours / limit:.2f} | <= 1 |"
        )


if __name__ == "__main__":
    main()
