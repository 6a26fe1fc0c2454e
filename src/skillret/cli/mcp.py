"""`skillret mcp`."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from skillret.agents.commands import command
from skillret.agents.install.by_command import tell, untell
from skillret.agents.install.changes import Change
from skillret.agents.install.steps import has_more, uninstall, write_change
from skillret.agents.install.targets import server_edits
from skillret.agents.mcp_clients import CLIENTS, NAME, Client, find_client
from skillret.cli.common import (
    add_agent,
    add_calibration,
    add_model_arguments,
    add_reranker,
    check_places,
    note,
    port,
)
from skillret.cli.install import print_steps
from skillret.errors import InputError
from skillret.extras import require
from skillret.files import expand, project_folders

if TYPE_CHECKING:
    from skillret.retrieval import Retriever

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret mcp                                # what a client starts: speaks MCP on stdin and stdout
  skillret mcp install --client claude-code
  skillret mcp uninstall --client claude-code
  skillret mcp print --client cursor --library ~/team/skills
  skillret mcp --http --port 8377             # at http://127.0.0.1:8377/mcp
"""
_PORT = 8377
_WAIT = 60  # seconds for a client's own command


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "action",
        nargs="?",
        choices=("install", "uninstall", "print"),
        metavar="install|uninstall|print",
        help="tell a client of this server, take that back, or print what to write where; serve if"
        " left out",
    )
    parser.add_argument(
        "--client", metavar="NAME", help=f"one of {', '.join(client.name for client in CLIENTS)}"
    )
    parser.add_argument(
        "--scope", choices=("user", "project"), default="user", help="whose client (default: user)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--http", action="store_true", help="serve over HTTP, at /mcp")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=port, default=_PORT, help=f"default: {_PORT}; 0 takes a free one"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name that the server is called by, repeatable",
    )
    parser.add_argument(
        "--api-key-file",
        metavar="FILE",
        help="only who sends this bearer key may ask (default: the variable SKILLRET_API_KEY)",
    )
    parser.add_argument(
        "--library",
        action="append",
        metavar="DIR",
        help="folder that holds skills, repeatable (default: see `skillret places`)",
    )
    add_agent(parser)
    parser.add_argument("--index", metavar="FILE", help="index file (default: one per library)")
    add_model_arguments(parser, by_settings=True)
    add_calibration(parser)
    add_reranker(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.action is None:
        if args.client or args.dry_run or args.scope != "user":
            raise InputError(
                "--client, --scope and --dry-run go with install, uninstall or print: skillret mcp"
                " print --client NAME"
            )
        return _serve(args)
    if not args.client:
        raise InputError(
            f"name a client: --client {', '.join(client.name for client in CLIENTS[:-1])} or"
            f" {CLIENTS[-1].name}"
        )
    client = find_client(args.client)
    if args.action == "uninstall":
        return _uninstall(client, args)
    if args.action == "install":
        check_places(args)
    command, url = _command(args), _url(args)
    if args.action == "print":
        return _print(client, command, url, args.scope)
    return _install(client, command, url, args)


def _serve(args: argparse.Namespace) -> int:
    require("mcp", "skillret mcp", ("mcp", "uvicorn"))
    _enter_project(args)
    # Here and not above: `install` and `print` need none of it, nor does `--help`.
    from skillret.agents.answers import PATIENCE, Answers
    from skillret.serving.mcp import OpenLater, create_server, serve, serve_http
    from skillret.serving.security import read_key

    def open_() -> Retriever:
        from skillret.retrieval import Retriever

        return Retriever.open(
            index=args.index,
            library=args.library,
            agent=args.agent,
            model=args.model,
            calibration=args.calibration,
            reranker=args.reranker,
            trust_remote_code=args.trust_remote_code,
            on_update=note,
        )

    # Otherwise the SDK would draw its own log lines, in a terminal's colours and columns.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="skillret: %(message)s")
    # Hooks ask by agent and folder, unless it was said which skills count.
    said = args.library or args.index or args.calibration or args.reranker
    answer = None if said else Answers(PATIENCE)
    server = create_server(OpenLater(open_), answer)
    if args.http:
        key = read_key(args.api_key_file)
        serve_http(
            server,
            args.host,
            args.port,
            key=key,
            hosts=args.allow_host,
            ready=lambda url: note(f"MCP at {url}; Ctrl-C ends it"),
        )
        return 0
    if args.api_key_file or args.allow_host:
        raise InputError("--api-key-file and --allow-host go with --http")
    if sys.stdin.isatty():
        note("this speaks MCP: a client starts it, see `skillret mcp print`; Ctrl-D ends it")
    serve(server)
    return 0


def _enter_project(args: argparse.Namespace) -> None:
    """Work where the client's project is: some start their servers elsewhere, and say so."""
    project = os.environ.get("CLAUDE_PROJECT_DIR", "")
    if project and os.path.isdir(project):  # noqa: PTH112
        for name in ("index", "calibration", "reranker", "model", "api_key_file"):
            given = getattr(args, name)
            if given and os.path.exists(expand(given)):  # noqa: PTH110
                setattr(args, name, str(expand(given).absolute()))
        if args.library:
            args.library = [str(expand(folder).absolute()) for folder in args.library]
        os.chdir(project)


def _command(args: argparse.Namespace) -> list[str]:
    """What the client starts: absolute names, since it starts it from anywhere."""
    words = ["mcp"]
    for folder in args.library or ():
        words += ["--library", str(expand(folder).absolute())]
    for agent in args.agent or ():
        words += ["--agent", agent]
    for option in ("index", "calibration"):
        given = getattr(args, option)
        if given:
            words += [f"--{option}", str(expand(given).absolute())]
    for option, model in (("--model", args.model), ("--rerank", args.reranker)):
        if model:
            folder = expand(model)
            words += [option, str(folder.absolute()) if folder.exists() else model]
    if args.trust_remote_code:
        words.append("--trust-remote-code")
    return command(*words)


def _url(args: argparse.Namespace) -> str | None:
    if not args.http:
        return None
    if args.port == 0:
        raise InputError("a client needs to know the port: give --port")
    host = f"[{args.host}]" if ":" in args.host else args.host
    return f"http://{host}:{args.port}/mcp"


def _print(client: Client, command: list[str], url: str | None, scope: str) -> int:
    file = client.file if scope == "user" else client.project_file
    if file is None:
        raise InputError(f"{client.title} keeps no servers in a project: leave out --scope")
    own = client.add_command(command, url) if scope == "user" else None
    if own is not None:
        note(f"{client.title} adds it by its own command: {shlex.join(own)}")
    note(f"into {file}:")
    sys.stdout.write(client.entry(command, url))
    return 0


def _install(client: Client, command: list[str], url: str | None, args: argparse.Namespace) -> int:
    own = client.add_command(command, url, scope=args.scope)
    if url is None and find_spec("mcp") is None:
        note("the server itself needs an extra: pip install 'skillret[mcp]'")
    project = _project(args)
    if own is not None:
        if args.dry_run:
            print(shlex.join(own))
        elif tell(client, own, project):
            note(f"{client.title} knows: {shlex.join(own)}")
            note(f"`skillret mcp uninstall --client {client.name}` takes it back")
        else:
            note(f"{client.title} has it already; to replace it, first: {own[0]} mcp remove {NAME}")
        return 0
    file = client.place(Path.home(), project)
    if file is None:
        remedy = "--scope project, or paste" if client.project_file else "paste"
        raise InputError(
            f"{client.title} keeps its servers in {client.file}: {remedy} what `skillret mcp print"
            f" --client {client.name}` shows"
            if project is None
            else f"{client.title} keeps no servers in a project: leave out --scope"
        )
    around = project or (Path.home() if file.is_relative_to(Path.home()) else file.parent)
    edits = server_edits(client, command, url)
    owner = f"mcp {client.name}"
    program = "" if url else command[0]
    change = Change(owner, client.title, file, around, edits, program=program)
    step = write_change(change, dry_run=args.dry_run)
    status = print_steps([step], dry_run=args.dry_run)
    # What is there and not written by us, as the step says then, is not taken back either.
    if status == 0 and not args.dry_run and not (step.done == "unchanged" and step.message):
        back = f"`skillret mcp uninstall --client {client.name}`"
        if step.done == "unchanged" and has_more(client.name, around):
            note(
                f"`skillret install {client.name}` has written it: `skillret uninstall"
                f" {client.name}` takes all of that back, {back} this entry alone"
            )
        else:
            note(f"{back} takes it back")
    return status


def _uninstall(client: Client, args: argparse.Namespace) -> int:
    own = client.remove_command(scope=args.scope)
    if own is not None:
        if args.dry_run:
            print(shlex.join(own))
        elif untell(client, own, _project(args)):
            note(f"{client.title} knows: {shlex.join(own)}")
        else:
            note(f"{client.title} does not have it")
        return 0
    steps = uninstall(clients=[client.name], project=_project(args), dry_run=args.dry_run)
    if not steps:
        note(f"nothing is installed for {client.title}")
    return print_steps(steps, dry_run=args.dry_run)


def _project(args: argparse.Namespace) -> Path | None:
    return project_folders(Path.cwd())[-1] if args.scope == "project" else None
