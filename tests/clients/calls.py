"""A real client beside the stub model, and what it sends there."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
URL = "http://127.0.0.1:8399"


def texts(value):
    """All strings in a JSON value."""
    if isinstance(value, str):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if not isinstance(value, str):
            yield from texts(child) if isinstance(child, str | dict | list) else ()


def asked(command, prompt, variables, work):
    """The requests that a client sends to the model with a prompt.

    `variables` are its whole environment, `work` is where it runs.
    """
    log = work.with_name("log.jsonl")
    log.unlink(missing_ok=True)
    environment = [f"{name}={value}" for name, value in variables.items()]
    whole = [HERE / "with_stub.sh", sys.executable, log, "env", "-i", *environment, *command]
    done = subprocess.run(
        [*map(str, whole), prompt], cwd=work, capture_output=True, text=True, timeout=240
    )
    assert log.exists(), done.stdout + done.stderr
    bodies = [json.loads(line)["body"] for line in log.read_text().splitlines()]
    found = [json.loads(body) for body in bodies if prompt in body]
    assert found, done.stdout + done.stderr
    return found


def sent(*arguments):
    """All strings in these requests."""
    return list(texts(asked(*arguments)))
