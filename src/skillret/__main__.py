"""The program `skillret`, and `python -m skillret`."""

import gc
import sys

__all__ = ["entry"]


def entry() -> None:
    """Run a command and end the process."""
    # What is imported stays; to look through it after every 700 objects is 5 % of a search.
    gc.set_threshold(50_000)
    if sys.argv[1:2] == ["hook"] and not {"-h", "--help"} & set(sys.argv[2:]):
        # An agent waits for it at every prompt: not even the command line's parser is imported.
        import os

        from skillret.agents.hook import main

        os._exit(main(sys.argv[2:]))
    from skillret.cli import entry as any_command

    any_command()


if __name__ == "__main__":
    entry()
