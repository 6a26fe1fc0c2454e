"""Haystack: skills as documents of a pipeline, and as the skills of an agent.

With the address of a service as its argument it asks that one, and no library here.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

from haystack import Pipeline
from haystack.components.agents import Agent
from haystack.components.generators.chat import MockChatGenerator
from haystack.dataclasses import ChatMessage, ToolCall
from haystack.tools import SkillToolset

from skillret import Client, Retriever
from skillret.adapters.haystack import SkillretStore, SkillRetriever

TASK = "turn this scanned PDF into a spreadsheet"

# A service, or the library beside this example.
source = (
    Client(sys.argv[1])
    if sys.argv[1:]
    else Retriever.open(library=Path(__file__).parents[1] / "skills")
)

with source:
    pipeline = Pipeline()
    pipeline.add_component("skills", SkillRetriever(source, top_k=3))
    for document in pipeline.run({"skills": {"query": TASK}})["skills"]["documents"]:
        print(f"{document.score:.3f} {document.meta['name']}")

    # The model is told of the skills for this task, and of no others.
    skills = SkillToolset(SkillretStore(source, TASK))
    (name, *_) = skills.skills
    # Stands in for a real model: it loads the first skill, then it is done.
    model = MockChatGenerator(
        [
            ChatMessage.from_assistant(
                tool_calls=[ToolCall("load_skill", {"name": name}, id="call-1")]
            ),
            "I work by the skill.",
        ]
    )
    agent = Agent(chat_generator=model, tools=skills)
    for message in agent.run(messages=[ChatMessage.from_user(TASK)])["messages"]:
        for result in message.tool_call_results:
            print(name, "loaded:", result.result[:100])
        print(message.text or "")
