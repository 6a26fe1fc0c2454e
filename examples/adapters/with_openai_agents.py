"""OpenAI Agents SDK: an agent searches skills and loads one; its model is a stand-in here.

With the address of a service as its argument it asks that one, and no library here.
"""

import json
import sys
from pathlib import Path

from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from skillret import Client, Retriever
from skillret.adapters.openai_agents import INSTRUCTIONS, skill_tools

TASK = "turn this scanned PDF into a spreadsheet"


class StandIn(Model):
    """Does what a real model would: searches, loads the first skill that fits, is done."""

    async def get_response(self, system_instructions, input, *args, **kwargs) -> ModelResponse:
        outputs = (
            []
            if isinstance(input, str)
            else [item["output"] for item in input if item.get("type") == "function_call_output"]
        )
        if not outputs:
            output = self._call("search_skills", query=TASK)
        elif len(outputs) == 1:
            found = json.loads(outputs[0])
            print("found:", [(skill["name"], skill["fits"]) for skill in found])
            output = self._call("load_skill", id=found[0]["id"], file="SKILL.md")
        else:
            print("loaded:", outputs[1][:100])
            text = ResponseOutputText(
                text="I work by the skill.", type="output_text", annotations=[]
            )
            output = ResponseOutputMessage(
                id="message", content=[text], role="assistant", status="completed", type="message"
            )
        return ModelResponse([output], Usage(), response_id=None)

    def _call(self, name: str, **arguments: str) -> ResponseFunctionToolCall:
        return ResponseFunctionToolCall(
            name=name, arguments=json.dumps(arguments), call_id=name, type="function_call"
        )

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError


# A service, or the library beside this example.
source = (
    Client(sys.argv[1])
    if sys.argv[1:]
    else Retriever.open(library=Path(__file__).parents[1] / "skills")
)

with source:
    set_tracing_disabled(True)  # it would send what is done here to a service
    agent = Agent(
        "worker", instructions=INSTRUCTIONS, tools=skill_tools(source, k=3), model=StandIn()
    )
    print(Runner.run_sync(agent, TASK).final_output)
