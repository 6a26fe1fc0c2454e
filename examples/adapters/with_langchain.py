"""LangChain: skills are documents, before a model that is a stand-in here.

With the address of a service as its argument it asks that one, and no library here.
"""

import sys
from pathlib import Path

from langchain_core.language_models.fake_chat_models import ParrotFakeChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough

from skillret import Client, Retriever
from skillret.adapters.langchain import SkillRetriever

# A service, or the library beside this example.
source = (
    Client(sys.argv[1])
    if sys.argv[1:]
    else Retriever.open(library=Path(__file__).parents[1] / "skills")
)

with source:
    # Only what the task needs, with its instructions.
    skills = SkillRetriever(source=source, select=True, body=True)
    prompt = ChatPromptTemplate.from_template("Work by these skills:\n{skills}\n\nTask: {task}")
    model = ParrotFakeChatModel()  # says what it was told; put a real one in its place
    chain = (
        {
            "skills": skills | (lambda found: "\n\n".join(d.page_content for d in found)),
            "task": RunnablePassthrough(),
        }
        | prompt
        | model
        | StrOutputParser()
    )
    for document in skills.invoke("turn this scanned PDF into a spreadsheet"):
        print(document.id, document.metadata["name"])
    print(chain.invoke("turn this scanned PDF into a spreadsheet")[:300])
