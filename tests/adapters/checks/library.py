"""The library that the checks of all adapters use."""

from pathlib import Path
from tempfile import mkdtemp

from skillret import Index, Retriever
from tests.conftest import make_skill, write_skill

PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


def opened():
    """A retriever of skills in memory: one that only the user may start, one of an odd name."""
    index = Index.in_memory()
    index.add(
        [
            make_skill(
                "PDF Tables!",
                "Extract tables from PDF files. " + "Long. " * 300,
                "Use OCR.",
                id="pdf",
                metadata={"team": "x", "adk_additional_tools": ["shell"], "adk_inject_state": True},
            ),
            make_skill("日本語", "Translate letters into Japanese.", "Ask for the tone.", id="ja"),
            make_skill("deploy", "Deploy tables to production.", id="deploy", user_only=True),
        ]
    )
    return Retriever(index)


def with_files():
    """A retriever of a folder, where a skill has files."""
    place = Path(mkdtemp())
    folder = write_skill(place / "skills", "pdf-tables", "Extract tables from PDFs.").parent
    for name, data in {
        "references/FORMS.md": b"Forms\n",
        "scripts/run.py": b"print()\n",
        "assets/logo.png": PNG,
        "assets/form.pdf": b"%PDF-1.7",
        "notes.txt": b"Notes\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return Retriever.open(library=place / "skills", index=place / "index.db")
