"""`skillret train`."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from skillret.cli.common import DATASET_HELP, note, printable
from skillret.errors import InputError
from skillret.files import expand
from skillret.training.recipe import load_recipe
from skillret.training.sections import KINDS

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret train recipes/minilm-cpu.toml --data path/to/data
  skillret train recipes/minilm-cpu.toml --library ~/team/skills --data queries.csv
  skillret train recipes/minilm-cpu.toml --set train.batch_size=32 --set loss.mask=none
  skillret train recipes/minilm-cpu.toml --output runs/first --resume
  skillret train recipes/reranker-minilm-cpu.toml --data path/to/data
  torchrun --nproc-per-node 4 -m skillret train recipes/skillret-embedding-0.6b.toml
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("recipe", metavar="RECIPE", help="recipe file (TOML); see recipes/")
    parser.add_argument(
        "--kind",
        choices=KINDS,
        help="what the recipe trains, where it does not say (default: embedding)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        dest="overrides",
        help="change one value of the recipe, repeatable",
    )
    parser.add_argument(
        "--output", metavar="DIR", help="folder of the run (default: runs/ and the recipe's name)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint in the folder"
    )
    parser.add_argument(
        "--data",
        metavar="D",
        help=f"instead of the recipe's: {DATASET_HELP}",
    )
    parser.add_argument(
        "--library",
        action="append",
        default=[],
        metavar="DIR",
        help="folder of skills, repeatable; alone, their own tests are trained on",
    )
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run Python code that the base model brings along (default: never, whatever the recipe"
        " says)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    # The whole recipe is checked before torch is imported.
    recipe = load_recipe(expand(args.recipe), args.overrides, args.kind)
    if recipe.model.trust_remote_code and not args.trust_remote_code:
        raise InputError(
            "the recipe asks to run Python code that its model brings along"
            f" (model.trust_remote_code): add --trust-remote-code if you trust {recipe.model.base}"
        )
    trusted = replace(recipe.model, trust_remote_code=args.trust_remote_code)
    recipe = replace(recipe, model=trusted)
    from skillret.training.run import train

    output = expand(args.output) if args.output else Path("runs") / recipe.name
    model = train(
        recipe,
        output,
        data=args.data,
        libraries=args.library,
        resume=args.resume,
        say=note,
    )
    if os.environ.get("RANK", "0") == "0":
        print(printable(str(model)))
    return 0
