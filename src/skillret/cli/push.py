"""`skillret push`."""

from __future__ import annotations

import argparse

from skillret.cli.common import note, printable
from skillret.errors import InputError
from skillret.files import expand

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret push runs/minilm-cpu/model my-team/skill-retriever
  skillret push runs/minilm-cpu/model my-team/skill-retriever --public
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("model_dir", metavar="MODEL_DIR", help="folder of a trained model")
    parser.add_argument("repository", metavar="OWNER/NAME", help="repository on the hub")
    parser.add_argument(
        "--public",
        action="store_true",
        help="make a new repository public (default: private; an existing one stays as it is)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    model_dir = expand(args.model_dir)
    if not model_dir.is_dir():
        raise InputError(f"no such model folder: {model_dir}")
    from skillret.training.push import push

    note(f"pushing {model_dir} to {args.repository}")
    print(printable(push(model_dir, args.repository, public=args.public)))
    return 0
