"""The document of a skill: the text that is encoded, and the hash that tells when it changed."""

from __future__ import annotations

import hashlib

from skillret.types import Skill

__all__ = ["content_hash", "document_text"]


def document_text(skill: Skill, template: str) -> str:
    """Fill a document template (`name | description | body` in SkillRet) with a skill's fields.

    Fields are inserted as they are: braces in a skill's text are not format fields.
    """
    return template.format(
        name=skill.name.strip(), description=skill.description.strip(), body=skill.body.strip()
    ).strip()


def content_hash(skill: Skill) -> str:
    """SHA-256 over name, description and body: equal hashes mean equal documents."""
    digest = hashlib.sha256()
    for part in (skill.name, skill.description, skill.body):
        data = part.encode("utf-8")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()
