"""The document of a skill: the text that is encoded, and the hash that tells when it changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from skillret.skills.exclusions import read_purpose
from skillret.skills.hidden import strip_hidden
from skillret.skills.sections import without_exclusions
from skillret.types import Skill

__all__ = ["content_hash", "document_text", "is_template"]

_FIELD = re.compile(r"\{(name|description|purpose|body|instructions)\}")
_FIELDS: dict[str, Callable[[Skill], str]] = {
    "name": lambda skill: skill.name,
    "description": lambda skill: skill.description,
    "body": lambda skill: skill.body,
    # without what the skill is not for, and what nobody sees
    "purpose": lambda skill: read_purpose(skill.description, skill.name).wanted,
    "instructions": lambda skill: without_exclusions(strip_hidden(skill.body)),
}


def is_template(text: str) -> bool:
    """Whether a document template has fields, and no others than `document_text` fills."""
    rest = _FIELD.sub("", text)
    return rest != text and not any(c in rest for c in "{}")


def document_text(skill: Skill, template: str) -> str:
    """Fill a document template (`name | description | body` in SkillRet) with a skill's fields.

    Fields are inserted as they are: braces in a skill's text are not format fields.
    """
    return _FIELD.sub(lambda field: _FIELDS[field[1]](skill).strip(), template).strip()


def content_hash(skill: Skill) -> str:
    """SHA-256 over name, description and body: equal hashes mean equal documents."""
    digest = hashlib.sha256()
    for part in (skill.name, skill.description, skill.body):
        data = part.encode("utf-8")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()
