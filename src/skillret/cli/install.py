"""`skillret install`."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from pathlib import Path

from skillret.agents.hosts import HOSTS
from skillret.agents.install.steps import Step, install
from skillret.agents.install.targets import TARGETS
from skillret.cli.common import note, printable, progress_bar
from skillret.cli.terminal import tilde
from skillret.errors import SkillretError
from skillret.files import project_folders
from skillret.messages import counted
from skillret.settings import MODES
from skillret.skills.agents import find_agent

__all__ = ["configure", "configure_agents", "print_steps", "project_of", "run"]

_EXAMPLES = """\
examples:
  skillret install --dry-run
  skillret install claude-code codex
  skillret install --mode quiet
"""
_READY = ("written", "unchanged")
_VERBS = {  # done, and in a dry run
    "written": ("wrote", "would write"),
    "unchanged": ("nothing to do in", "nothing to do in"),
    "removed": ("removed", "would remove"),
    "restored": ("restored", "would restore"),
    "cleaned": ("cleaned", "would clean"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    configure_agents(
        parser,
        "the agents that are to ask skillret at each prompt (default: all that are there):",
        "write to the files of the project here instead of those of the home directory",
    )
    parser.add_argument(
        "--no-index",
        action="store_true",
        help="do not read the skills now; the first prompts are then answered without them",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="how sure a skill must be to be named: sets `mode` in your own skillret.toml, for all"
        " agents (default: leave it, which is normal)",
    )


def configure_agents(parser: argparse.ArgumentParser, agents: str, project: str) -> None:
    """The arguments of `install` and `uninstall`."""
    names = ", ".join(target.agent for target in TARGETS)
    parser.add_argument("agents", nargs="*", metavar="AGENT", help=f"{agents} {names}")
    parser.add_argument("--project", action="store_true", help=project)
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would change, and change nothing"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    steps = install(args.agents, project_of(args), mode=args.mode, dry_run=args.dry_run)
    status = print_steps(steps, dry_run=args.dry_run)
    if args.dry_run:
        return status
    if not args.no_index:
        _build(steps, project_of(args))
    written = [step.file for step in steps if step.done == "written" and step.file is not None]
    if written:
        # What is written into Markdown is for models to read, and names none.
        if args.project and any(file.suffix != ".md" for file in written):
            note("these files name a program of this machine: keep them out of the repository")
        note("new sessions ask skillret; `skillret uninstall` takes it back")
    return status


def _build(steps: Iterable[Step], project: Path | None) -> None:
    """Read the skills of the agents that ask from now on, so that the first prompt need not wait.

    An agent that has the MCP server alone asks that, which reads the skills of all agents.
    """
    ready = [step for step in steps if step.file is not None and step.done in _READY]
    agents = dict.fromkeys(step.owner for step in ready if step.owner in HOSTS)
    views: list[tuple[str, ...]] = [(agent,) for agent in agents if HOSTS[agent].prompt]
    if any(step.owner.startswith("mcp ") for step in ready):
        views.append(())
    from skillret.retrieval import Retriever

    for view in views:
        whose = find_agent(view[0]).title if view else "all agents"
        try:
            with (
                progress_bar("encoding") as progress,
                Retriever.open(agent=view, cwd=project, progress=progress) as opened,
            ):
                note(f"the skills of {whose} are read: {counted(len(opened.index), 'skill')}")
        except SkillretError as e:
            note(f"the skills of {whose} are not read yet: {e}")


def project_of(args: argparse.Namespace) -> Path | None:
    """The project here, if it is asked for."""
    return project_folders(Path.cwd())[-1] if args.project else None


def print_steps(steps: Iterable[Step], *, dry_run: bool) -> int:
    """Print a line for each file, and what changes in a dry run; 1 if one was refused."""
    refused = 0
    for step in steps:
        if step.done == "refused":
            refused += 1
            note(f"{step.title}: {printable(step.message)}")
            continue
        if step.file is None:
            print(f"{step.title}: {printable(step.message)}")
            continue
        verb = _VERBS[step.done][dry_run]
        print(f"{step.title}: {verb} {tilde(printable(str(step.file)))}")
        if step.message:
            print(f"  {printable(step.message)}")
        if dry_run:
            _print_difference(step)
    return int(refused > 0)


def _print_difference(step: Step) -> None:
    """The lines that go and come."""
    old, new = (
        [] if data is None else data.decode("utf-8", "replace").splitlines()
        for data in (step.before, step.after)
    )
    for line in list(difflib.unified_diff(old, new, n=1, lineterm=""))[2:]:
        if not line.startswith("@@"):
            indent = line[1:][: len(line[1:]) - len(line[1:].lstrip())].expandtabs(4)
            print(f"  {line[0]} {indent}{printable(line[1:])}".rstrip())
