"""pydantic-ai: an agent searches skills and loads one; its model is a stand-in here.

With the address of a service as its argument it asks that one, and no library here.
"""

import sys
from pathlib import Path

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from skillret import Client, Retriever
from skillret.adapters.pydantic_ai import skill_toolset

TASK = "turn this scanned PDF into a spreadsheet"


def stand_in(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Do what a real model would: search, load the first skill that fits, be done."""
    last = messages[-1].parts[-1]
    if last.part_kind != "tool-return":
        return ModelResponse([ToolCallPart("search_skills", {"query": TASK})])
    if last.tool_name == "search_skills":
        print("found:", [(skill["name"], skill["fits"]) for skill in last.content])
        return ModelResponse([ToolCallPart("load_skill", {"id": last.content[0]["id"]})])
    print("loaded:", last.content[:100])
    return ModelResponse([TextPart("I work by the skill.")])


# A service, or the library beside this example.
source = (
    Client(sys.argv[1])
    if sys.argv[1:]
    else Retriever.open(library=Path(__file__).parents[1] / "skills")
)

with source:
    agent = Agent(FunctionModel(stand_in), toolsets=[skill_toolset(source, k=3)])
    print(agent.run_sync(TASK).output)
