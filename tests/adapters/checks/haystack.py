import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

import base64

import pytest
from haystack import Pipeline
from haystack.dataclasses import FileContent, ImageContent
from haystack.tools import SkillToolset

from skillret.adapters.haystack import SkillRetriever, SkillretStore
from skillret.errors import InputError
from tests.adapters.checks.library import PNG, opened, with_files

source = opened()
pipeline = Pipeline()
pipeline.add_component("skills", SkillRetriever(source, 2))
asked = {"query": "extract tables from a PDF"}
documents = pipeline.run({"skills": asked})["skills"]["documents"]
assert [document.id for document in documents] == ["pdf", "ja"]
assert documents[0].meta["metadata"]["team"] == "x"
(one,) = pipeline.run({"skills": asked | {"top_k": 1}})["skills"]["documents"]
assert one == documents[0]
(chosen,) = SkillRetriever(source, select=True, body=True).run("extract PDF tables")["documents"]
assert chosen.content == "Use OCR."

toolset = SkillToolset(SkillretStore(source, "extract tables from a PDF"))
assert list(toolset.skills) == ["PDF Tables!"]
load, read = toolset
assert "- PDF Tables!: Extract tables" in load.description
assert load.invoke(name="PDF Tables!") == "Use OCR."
assert list(SkillretStore(source).list_skills()) == ["日本語", "PDF Tables!"]
for name in ("deploy", "nothing"):
    with pytest.raises(KeyError, match="no skill named"):
        SkillretStore(source).load_skill(name)

store = SkillretStore(with_files())
text, files = store.load_skill("pdf-tables")
assert files == [
    "assets/form.pdf",
    "assets/logo.png",
    "notes.txt",
    "references/FORMS.md",
    "scripts/run.py",
]
assert store.read_skill_file("pdf-tables", "references/FORMS.md") == "Forms\n"
image = store.read_skill_file("pdf-tables", "assets/logo.png")
assert isinstance(image, ImageContent) and base64.b64decode(image.base64_image) == PNG
assert isinstance(store.read_skill_file("pdf-tables", "assets/form.pdf"), FileContent)
for name in ("../x", "none.md", "/etc/passwd"):
    with pytest.raises(FileNotFoundError):
        store.read_skill_file("pdf-tables", name)
with pytest.raises(KeyError):
    store.read_skill_file("nothing", "SKILL.md")
for save in (pipeline.dumps, toolset.to_dict, lambda: SkillretStore.from_dict({})):
    with pytest.raises(InputError, match="add it again"):
        save()
