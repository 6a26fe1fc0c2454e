"""Print every module of skillret with the first line of its docstring: `make map`."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "skillret"


def main() -> None:
    part = PACKAGE / (sys.argv[1] if len(sys.argv) > 1 else "")
    for file in sorted(part.rglob("*.py"), key=lambda f: (f.parent, f.name != "__init__.py", f)):
        said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        first = said.splitlines()[0] if said else "(says nothing)"
        if file.name == "__init__.py":
            print(f"\n{file.parent.relative_to(PACKAGE.parent).as_posix()}/  {first}")
        else:
            print(f"    {file.stem:<22}{first}")


if __name__ == "__main__":
    main()
