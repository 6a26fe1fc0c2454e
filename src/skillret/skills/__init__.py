"""From SKILL.md files to skills, and from skills to documents."""

from skillret.skills.document import content_hash, document_text, is_template
from skillret.skills.library import Library
from skillret.skills.names import invocable_name
from skillret.skills.places import default_roots
from skillret.skills.walk import Root

__all__ = [
    "Library",
    "Root",
    "content_hash",
    "default_roots",
    "document_text",
    "invocable_name",
    "is_template",
]
