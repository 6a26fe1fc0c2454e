import asyncio
import json

from agents.tool_context import ToolContext

from skillret.adapters.openai_agents import INSTRUCTIONS, skill_tools
from tests.adapters.checks.library import opened

search, load = skill_tools(opened(), k=2)
assert (search.name, load.name) == ("search_skills", "load_skill")
assert search.name in INSTRUCTIONS and load.name in INSTRUCTIONS
assert search.description.startswith("Find the skills") and "Args" not in search.description
assert "whole request" in search.params_json_schema["properties"]["query"]["description"]


def call(tool, **arguments):
    text = json.dumps(arguments)
    context = ToolContext(None, tool_name=tool.name, tool_call_id="1", tool_arguments=text)
    return asyncio.run(tool.on_invoke_tool(context, text))


found = json.loads(call(search, query="extract tables from a PDF"))
assert [(one["id"], one["fits"]) for one in found] == [("pdf", True), ("ja", False)]
assert call(load, id="pdf", file="SKILL.md") == "Use OCR."
assert call(load, id="nothing", file="SKILL.md") == "there is no skill 'nothing': search for one"
assert call(search, query="").startswith("the query is empty")
