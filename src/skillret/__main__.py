"""`python -m skillret`."""

from skillret.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
