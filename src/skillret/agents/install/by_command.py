"""Clients that keep their servers by a command of their own: called, and noted to be taken back."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from skillret.agents.install.changes import Step
from skillret.agents.install.manifest import Manifest, Told
from skillret.agents.mcp_clients import Client, find_client
from skillret.errors import InputError, SkillretError
from skillret.messages import printable

__all__ = ["take_back", "tell", "untell"]

_WAIT = 60  # seconds for a client's own command
_NOTHING = ("already exists", "No MCP server", "not found")  # to be done


def tell(client: Client, words: Sequence[str], project: Path | None = None) -> bool:
    """Let a client's own command add the server, and note it.

    Args:
        client: The client.
        words: Its command, see `Client.add_command`.
        project: Whose servers it goes to, if not to the user's.

    Returns:
        Whether it was added; else the client had one of that name.

    Raises:
        InputError: If there is no such command, or it fails.
        SkillretError: If what was written before is not known for certain, or another process
            writes.
    """
    manifest = Manifest()
    with manifest.locked():
        added = _call(client, words, project)
        if added:
            manifest.told.add(Told(client.name, str(project or "")))
            manifest.save()
    return added


def untell(client: Client, words: Sequence[str], project: Path | None = None) -> bool:
    """The reverse; whether the client had the server.

    Raises:
        InputError: As above.
        SkillretError: As above.
    """
    manifest, told = Manifest(), Told(client.name, str(project or ""))
    if told not in manifest.told:
        return _call(client, words, project)
    with manifest.locked():
        had = _call(client, words, project)
        _forget(told, manifest)
    return had


def take_back(told: Told, manifest: Manifest, *, dry_run: bool = False) -> Step:
    """What `uninstall` does about a client that was told.

    Args:
        told: Of the manifest.
        manifest: Locked, unless this is a dry run.
        dry_run: Change nothing.
    """
    client = find_client(told.client)
    project = Path(told.project) if told.project else None
    owner, title = f"mcp {client.name}", f"{client.title}, MCP"
    words = client.remove_command(scope="project" if project else "user") or []
    shown = shlex.join(words)
    if dry_run:
        return Step(owner, title, None, "cleaned", f"would run `{shown}`")
    if project is not None and not project.is_dir():
        _forget(told, manifest)
        return Step(owner, title, None, "unchanged", f"its project {project} is gone")
    try:
        had = _call(client, words, project)
        _forget(told, manifest)
    except SkillretError as e:
        return Step(owner, title, None, "refused", f"{e}; it still knows the server: run `{shown}`")
    message = f"taken out by `{shown}`" if had else "somebody has taken it out already"
    return Step(owner, title, None, "cleaned", message)


def _forget(told: Told, manifest: Manifest) -> None:
    manifest.told.discard(told)
    manifest.save()


def _call(client: Client, words: Sequence[str], project: Path | None) -> bool:
    """Run a client's own command; False if there is nothing to be done.

    Raises:
        InputError: If there is no such command, or it fails.
    """
    program = shutil.which(words[0])
    if program is None:
        raise InputError(f"there is no program {words[0]}: install {client.title} first")
    try:
        done = subprocess.run(  # noqa: S603 (a list of words, and no shell)
            [program, *words[1:]],
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_WAIT,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{words[0]} did not answer in {_WAIT} seconds") from None
    except OSError as e:
        raise InputError(f"cannot start {program}: {e.strerror}") from None
    said = printable(f"{done.stdout} {done.stderr}")[:500]
    if done.returncode == 0:
        return True
    if any(text in said for text in _NOTHING):
        return False
    raise InputError(f"{shlex.join(words)} failed ({done.returncode}): {said}")
