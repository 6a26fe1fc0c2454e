"""A small data set in SkillRet layout."""

import gzip
import json

from tests.conftest import SKILLS

QUERIES = [
    {"id": "q1", "query": "crashing pods", "skill_ids": ["kubernetes-debugging"], "kind": "short"},
    {
        "id": "q2",
        "query": "tables from pdf, then meals",
        "kind": "long",
        "skill_ids": ["pdf-tables", "meal-planner"],
    },
    {"id": "q3", "query": "notes for the release", "skill_ids": ["release-notes"], "kind": "short"},
]


def write_table(folder, table, split, rows, suffix=".jsonl.gz"):
    file = folder / "data" / table / f"{split}{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if suffix == ".jsonl.gz":
        with gzip.open(file, "wt", encoding="utf-8") as out:
            out.write(text)
    elif suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    else:
        file.write_text(text)
    return file


def skill_rows():
    return [
        {
            "id": s.id,
            "name": s.name,
            "description": s.description,
            "skill_md": s.body,
            "major": "ops" if "kube" in s.id else "office",
        }
        for s in SKILLS
    ]


def qrel_rows():
    return [
        {"query_id": q["id"], "skill_id": s, "relevance": 1}
        for q in QUERIES
        for s in q["skill_ids"]
    ]


def write_dataset(folder):
    """Four skills, three queries, two queries that need no skill, in SkillRet layout."""
    write_table(folder, "skills", "dev", skill_rows())
    write_table(folder, "queries", "dev", QUERIES)
    write_table(folder, "qrels", "dev", qrel_rows())
    negatives = [{"id": "n1", "query": "hello there"}, {"id": "n2", "query": "what is 2 + 2?"}]
    write_table(folder, "negatives", "dev", negatives)
    return folder
