import asyncio

import pytest

from skillret.adapters.google_adk import SkillretRegistry
from skillret.errors import InputError
from tests.adapters.checks.library import PNG, opened, with_files


async def check():
    registry = SkillretRegistry(opened())
    found = await registry.search_skills(query="extract tables from a PDF")
    names = [front.name for front in found]
    assert names[0] == "pdf-tables" and len(names) == 2 and names[1].startswith("skill-")
    assert len(found[0].description) == 1024
    assert found[0].metadata == {"team": "x"}  # no tools, no state by a skill's own wish
    skill = await registry.get_skill(name="pdf-tables")
    assert (skill.instructions, skill.frontmatter) == ("Use OCR.", found[0])
    assert (await registry.get_skill(name=names[1])).instructions == "Ask for the tone."
    # Another process has searched; this one finds it by the same name.
    again = SkillretRegistry(opened())
    assert (await again.get_skill(name=names[1])).instructions == "Ask for the tone."
    for name in ("deploy", "nothing"):
        with pytest.raises(InputError, match="no skill named"):
            await registry.get_skill(name=name)
    resources = (await SkillretRegistry(with_files()).get_skill(name="pdf-tables")).resources
    assert resources.references == {"FORMS.md": "Forms\n"}
    assert resources.assets == {"logo.png": PNG, "form.pdf": "%PDF-1.7"}
    assert {name: script.src for name, script in resources.scripts.items()} == {
        "run.py": "print()\n"
    }


asyncio.run(check())
