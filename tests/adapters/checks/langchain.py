import asyncio

from skillret.adapters.langchain import SkillRetriever
from tests.adapters.checks.library import opened

source = opened()
skills = SkillRetriever(source=source, k=2)
document, other = skills.invoke("extract tables from a PDF")
assert document.id == "pdf"
assert document.page_content.startswith("PDF Tables!: Extract tables")
assert document.metadata["name"] == "PDF Tables!"
assert document.metadata["metadata"]["team"] == "x"
assert other.id == "ja"  # never what only the user may start
assert asyncio.run(skills.ainvoke("extract tables from a PDF")) == [document, other]
assert skills.batch(["extract tables from a PDF"]) == [[document, other]]
(chosen,) = SkillRetriever(source=source, select=True, body=True).invoke("extract PDF tables")
assert chosen.page_content == "Use OCR."
assert SkillRetriever(source=source, where={"team": "y"}).invoke("extract PDF tables") == []
