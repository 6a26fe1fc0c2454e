import asyncio

from llama_index.core.schema import MetadataMode

from skillret.adapters.llama_index import SkillRetriever
from tests.adapters.checks.library import opened

source = opened()
skills = SkillRetriever(source, k=2)
nodes = skills.retrieve("extract tables from a PDF")
assert [node.node.id_ for node in nodes] == ["pdf", "ja"]
assert nodes[0].score > nodes[1].score
assert nodes[0].metadata["metadata"]["team"] == "x"
text = nodes[0].node.get_content(MetadataMode.LLM)
assert text.startswith("PDF Tables!: Extract") and text == nodes[0].text
again = asyncio.run(skills.aretrieve("extract tables from a PDF"))
assert [node.node.id_ for node in again] == ["pdf", "ja"]
(chosen,) = SkillRetriever(source, select=True, body=True).retrieve("extract PDF tables")
assert chosen.text == "Use OCR."
assert SkillRetriever(source, where={"team": "y"}).retrieve("extract PDF tables") == []
