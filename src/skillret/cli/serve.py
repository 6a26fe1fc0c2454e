"""`skillret serve`."""

from __future__ import annotations

import argparse
import re
import tempfile

from skillret.cli.common import (
    add_agent,
    add_calibration,
    add_model_arguments,
    add_reranker,
    check_places,
    note,
    port,
    positive,
)
from skillret.errors import InputError
from skillret.extras import require
from skillret.files import expand

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret serve                              # http://127.0.0.1:8377, this machine alone
  skillret serve --library ~/team/skills
  skillret serve --host 0.0.0.0 --token-file tokens.toml --workers 2
"""
_PORT = 8377
_NEEDED = ("fastapi", "uvicorn", "prometheus_client", "watchfiles", "markdown_it", "mcp")


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    add("--port", type=port, default=_PORT, help=f"default: {_PORT}; 0 takes a free one")
    add(
        "--library",
        action="append",
        metavar="DIR",
        help="folder of the library `default`, repeatable (default: see `skillret places`)",
    )
    add_agent(parser)
    add("--index", metavar="FILE", help="index of the library `default` (default: one per library)")
    add("--data", metavar="DIR", help="where libraries live that callers make (default: the OS's)")
    add(
        "--open",
        type=positive,
        default=64,
        metavar="N",
        help="open at once, of these (default: 64)",
    )
    add(
        "--token-file",
        metavar="FILE",
        help="TOML: [[token]] with token or token_sha256, access read or write, libraries",
    )
    add(
        "--token",
        metavar="T",
        help="token that may write; other programs can see it here (rather: SKILLRET_TOKEN)",
    )
    add("--read-token", metavar="T", help="token that may only read (rather: SKILLRET_READ_TOKEN)")
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name that the server is called by, repeatable",
    )
    add("--workers", type=positive, default=1, metavar="N", help="processes (default: 1)")
    add("--max-body", type=_size, default="2MB", metavar="SIZE", help="default: 2MB")
    add(
        "--max-concurrent",
        type=positive,
        default=256,
        metavar="N",
        help="requests at once, in each process; more are told to come again (default: 256)",
    )
    add("--timeout", type=_seconds, default=30.0, metavar="S", help="for a request (default: 30)")
    add("--log-format", choices=("text", "json"), default="text", help="default: text")
    add("--log-queries", action="store_true", help="log also what was asked (default: never)")
    add("--no-page", action="store_true", help="no page for people at /")
    add_model_arguments(parser, by_settings=True)
    add_calibration(parser)
    add_reranker(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    require("serve", "skillret serve", _NEEDED)
    check_places(args)
    if args.data is not None:
        _check_writable(args.data)
    _check_models(args)
    # Here and not above: `--help` needs none of it.
    import platformdirs

    from skillret.serving.http import logs
    from skillret.serving.http.app import Options
    from skillret.serving.http.run import Launch
    from skillret.serving.http.run import run as serve
    from skillret.serving.http.tokens import READ_TOKEN, TOKEN, read_tokens
    from skillret.serving.security import allowed_hosts, listen

    tokens = read_tokens(args.token_file, args.token, args.read_token)
    for option, variable in (("token", TOKEN), ("read_token", READ_TOKEN)):
        if getattr(args, option) is not None:
            name = option.replace("_", "-")
            note(
                f"other programs of this machine can see what --{name} says; rather set {variable}"
            )
    data = platformdirs.user_data_path("skillret", appauthor=False) / "served"
    launch = Launch(
        data=(expand(args.data) if args.data else data).absolute(),
        index=args.index,
        library=tuple(args.library or ()),
        agent=tuple(args.agent or ()),
        model=args.model,
        calibration=args.calibration,
        reranker=args.reranker,
        trust_remote_code=args.trust_remote_code,
        most_open=args.open,
        log_format=args.log_format,
        options=Options(
            tokens=tokens,
            allowed=allowed_hosts(args.host, args.allow_host),
            page=not args.no_page,
            max_body=args.max_body,
            max_concurrent=args.max_concurrent,
            timeout=args.timeout,
            log_queries=args.log_queries,
        ),
    )
    opened = listen(
        args.host,
        args.port,
        tokens or None,
        remedy=f"give tokens (--token-file, or {TOKEN})",
    )
    logs.configure(args.log_format)
    with opened:
        serve(
            launch,
            opened,
            workers=args.workers,
            ready=lambda url: logs.say(f"serving at {url}; Ctrl-C ends it"),
        )
    return 0


def _check_models(args: argparse.Namespace) -> None:
    """Load what is named: what is not there is said here, not by each worker again and again."""
    if args.reranker:
        from skillret.retrieval.rerank import load_reranker

        load_reranker(args.reranker)
    if args.model or args.calibration:
        from skillret.encoders import DEFAULT_MODEL, load_encoder
        from skillret.retrieval.calibration import load_calibration

        encoder = load_encoder(
            args.model or DEFAULT_MODEL, trust_remote_code=args.trust_remote_code
        )
        load_calibration(encoder, args.calibration)


def _check_writable(data: str) -> None:
    """Make the folder for libraries, and a file in it: permissions alone do not tell."""
    try:
        place = expand(data)
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
    except OSError as e:
        raise InputError(
            f"libraries cannot be written to --data {data}: {e.strerror}; give a folder that can be"
            " made and written"
        ) from None


def _size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})\s*([kKmM]?)[bB]?", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"must be a size such as 500kB or 2MB, got {text[:40]!r}")
    return int(found[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[found[2].lower()]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"must be seconds from 0.1 to 3600, got {text[:40]!r}")
    return value
