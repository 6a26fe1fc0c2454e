"""`python -m skillret`."""

from skillret.cli import entry

if __name__ == "__main__":
    entry()
