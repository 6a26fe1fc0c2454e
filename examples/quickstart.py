"""The Python API in one minute: open a library, search it, take a selection."""

from pathlib import Path

from skillret import Retriever

library = Path(__file__).parent / "skills"

with Retriever.open(library=library) as retriever:
    for hit in retriever.search("turn this scanned PDF into a spreadsheet", k=3):
        print(f"{hit.rank}. {hit.name}  {hit.score:.3f}  {hit.path}")

    selection = retriever.select("my pods keep restarting")
    print("hand to the agent:", [hit.name for hit in selection.hits])
