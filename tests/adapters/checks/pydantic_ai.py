from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from skillret.adapters.pydantic_ai import skill_toolset
from tests.adapters.checks.library import opened

calls = [
    ToolCallPart("load_skill", {"id": "nothing"}),
    ToolCallPart("search_skills", {"query": "extract tables from a PDF"}),
    ToolCallPart("load_skill", {"id": "pdf"}),
    TextPart("done"),
]
told = []


def model(messages, info):
    told.append(messages[-1].parts[-1])
    if len(told) == 1:
        assert "search_skills" in info.instructions
        search, _ = info.function_tools
        assert search.description.startswith("Find the skills")
        assert "whole request" in str(search.parameters_json_schema)
    return ModelResponse([calls[len(told) - 1]])


agent = Agent(FunctionModel(model), toolsets=[skill_toolset(opened(), k=2)])
assert agent.run_sync("extract tables from a PDF").output == "done"
_, wrong, found, loaded = told
# What was wrong with a call is told to the model, which then does better.
assert wrong.outcome == "retried" and "there is no skill 'nothing'" in wrong.content
assert [(one["id"], one["fits"]) for one in found.content] == [("pdf", True), ("ja", False)]
assert loaded.content == "Use OCR."
