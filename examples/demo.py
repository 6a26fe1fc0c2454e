"""The main job on the example library: index it, then answer a few requests.

Run by `make demo`; every step is the command that it prints.
"""

import shlex
import sys
import tempfile
from pathlib import Path

from skillret.cli import main

LIBRARY = Path(__file__).parent / "skills"
REQUESTS = (
    "turn this scanned PDF into a spreadsheet",
    "Our checkout page got slow after the last release and customers are complaining. "
    "I think every keystroke re-renders the whole cart. Can you find out why?",
    "my pods keep restarting and I have no idea where to look",
    "read these twelve papers and tell me what is known about sleep and memory",
)


def show(*arguments: str) -> None:
    """Print a command, then run it."""
    print(f"\n$ skillret {shlex.join(arguments)}", flush=True)
    if status := main(arguments):
        sys.exit(status)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        index = str(Path(folder) / "demo.db")
        show("index", "build", "--library", str(LIBRARY), "--index", index)
        for request in REQUESTS:
            show("search", request, "--index", index, "-k", "2", "--explain")
    print('\nNow yours: .venv/bin/skillret search "what you want to do"')
