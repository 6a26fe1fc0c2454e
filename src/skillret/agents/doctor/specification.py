"""What breaks the rules of the specification (agentskills.io)."""

from __future__ import annotations

from collections.abc import Iterator

from skillret.agents.doctor.finding import Examined, Finding

__all__ = ["check"]

# What the same list says of other things.
_COPY, _SHADOWED = "a copy of ", "is shadowed by"


def check(examined: Examined) -> Iterator[Finding]:
    """What reading the skills remarked on."""
    names = {skill.path: skill.name for skill in examined.skills}
    left_out = set(examined.library.left_out)
    for found in examined.library.diagnostics:
        if found in left_out or found.message.startswith(_COPY) or _SHADOWED in found.message:
            continue
        yield Finding(
            "specification",
            "warning",
            names.get(found.path, ""),
            found.path,
            None,
            found.message,
            "mend its front matter (agentskills.io/specification): other clients are stricter",
        )
