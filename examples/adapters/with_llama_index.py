"""LlamaIndex: skills are nodes, for an engine whose model is a stand-in here.

With the address of a service as its argument it asks that one, and no library here.
"""

import sys
from pathlib import Path

from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine

from skillret import Client, Retriever
from skillret.adapters.llama_index import SkillRetriever

# A service, or the library beside this example.
source = (
    Client(sys.argv[1])
    if sys.argv[1:]
    else Retriever.open(library=Path(__file__).parents[1] / "skills")
)

with source:
    skills = SkillRetriever(source, k=3)
    for node in skills.retrieve("turn this scanned PDF into a spreadsheet"):
        print(f"{node.score:.3f} {node.metadata['name']}")

    engine = RetrieverQueryEngine.from_args(skills, llm=MockLLM())  # put a real one in its place
    print(engine.query("Which skill turns a scanned PDF into a spreadsheet?"))
