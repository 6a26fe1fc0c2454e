"""Google ADK: an agent searches skills and loads one; its model is a stand-in here.

With the address of a service as its argument it asks that one, and no library here.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.skill_toolset import SkillToolset
from google.genai import types

from skillret import Client, Retriever
from skillret.adapters.google_adk import SkillretRegistry

TASK = "turn this scanned PDF into a spreadsheet"


class StandIn(BaseLlm):
    """Does what a real model would: searches, loads the first skill found, is done."""

    model: str = "stand-in"

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        last = llm_request.contents[-1].parts[-1]
        answer = last.function_response
        if answer is None:
            part = types.Part.from_function_call(name="search_skills", args={"query": last.text})
        elif answer.name == "search_skills":
            found = answer.response["result"]
            print("found:", [skill["name"] for skill in found])
            part = types.Part.from_function_call(
                name="load_skill", args={"skill_name": found[0]["name"]}
            )
        else:
            print("loaded:", answer.response["skill_name"], answer.response["instructions"][:100])
            part = types.Part(text="I work by the skill.")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


async def main() -> None:
    registry = SkillretRegistry(source)
    agent = LlmAgent(name="worker", model=StandIn(), tools=[SkillToolset(registry=registry)])
    async with InMemoryRunner(agent=agent, app_name="example") as runner:
        await runner.run_debug(TASK)


# A service, or the library beside this example.
source = (
    Client(sys.argv[1])
    if sys.argv[1:]
    else Retriever.open(library=Path(__file__).parents[1] / "skills")
)

with source:
    asyncio.run(main())
