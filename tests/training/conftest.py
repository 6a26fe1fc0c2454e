"""Tiny models and a toy data set, made on the spot."""

import gzip
import json
import random
from pathlib import Path

import pytest

from skillret.training.recipe import Recipe, parse_recipe

SYLLABLES = [
    "ba",
    "do",
    "fi",
    "gu",
    "ke",
    "lo",
    "mi",
    "na",
    "pu",
    "ra",
    "se",
    "ti",
    "vo",
    "wa",
    "zu",
]
FILLER = ["please", "help", "with", "this", "now", "my", "for", "today"]


def words(count, seed=0):
    draw = random.Random(seed)
    found = {}
    while len(found) < count:
        found["".join(draw.choices(SYLLABLES, k=3))] = None
    return list(found)


def toy(skills=24, queries_per_skill=2, seed=0, prefix="s"):
    """Skills that are told apart by three words each, and queries that use two of them."""
    vocabulary = words(3 * skills, seed)
    draw = random.Random(seed)
    rows, queries, qrels = [], [], []
    for i in range(skills):
        own = vocabulary[3 * i : 3 * i + 3]
        id_ = f"{prefix}{i}"
        rows.append(
            {
                "id": id_,
                "name": f"{own[0]}-skill",
                "description": f"Does {own[1]} and {own[0]}.",
                "skill_md": f"Use {own[2]} for {own[1]}. " + " ".join(draw.choices(FILLER, k=4)),
            }
        )
        for j in range(queries_per_skill):
            query = f"{prefix}q{i}-{j}"
            text = f"{' '.join(draw.choices(FILLER, k=3))} {' '.join(draw.sample(own, 2))}"
            queries.append({"id": query, "query": text, "skill_ids": [id_], "k": 1})
            qrels.append({"query_id": query, "skill_id": id_, "relevance": 1})
    return {"skills": rows, "queries": queries, "qrels": qrels}


def write_split(folder, split, tables):
    for name, rows in tables.items():
        file = Path(folder) / "data" / name / f"{split}.jsonl.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(file, "wt", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    return Path(folder)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """A data set with train and dev splits that share no skill."""
    folder = tmp_path_factory.mktemp("toy-data") / "toy"
    write_split(folder, "train", toy(24, 2, 0, "s"))
    return write_split(folder, "dev", toy(8, 1, 1, "d"))


def _texts():
    tables = [toy(24, 2, 0, "s"), toy(8, 1, 1, "d")]
    for table in tables:
        for row in table["skills"]:
            yield f"{row['name']} | {row['description']} | {row['skill_md']}"
        for row in table["queries"]:
            yield row["query"]


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """A sentence-transformers folder: BERT with two layers, mean pooling."""
    return make_bert(tmp_path_factory.mktemp("bert"), positions=64)


def make_bert(folder, positions):
    """A tiny BERT with random weights, as a sentence-transformers folder in `folder`."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(exist_ok=True)
    letters = [chr(c) for c in range(97, 123)]
    known = sorted(
        {
            w
            for t in _texts()
            for w in t.lower().replace("|", " ").replace(".", " ").replace("-", " ").split()
        }
    )
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "|", ".", "-", ":", *letters]
    vocabulary += [f"##{c}" for c in letters] + [w for w in known if len(w) > 1]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "base")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
    )
    BertModel(config).save_pretrained(folder / "base")
    transformer = Transformer(str(folder / "base"), max_seq_length=48)
    modules = [transformer, Pooling(32, pooling_mode="mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "tiny-bert"))
    return folder / "tiny-bert"


@pytest.fixture(scope="session")
def qwen(tmp_path_factory):
    """A sentence-transformers folder of Qwen3's structure.

    Byte-level BPE, an end token that only the tokenizer's post-processor adds, left padding,
    last-token pooling: all as in Qwen3-Embedding-0.6B, only small.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

    folder = tmp_path_factory.mktemp("qwen")
    end = "<|endoftext|>"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=[end],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    end_id = tokenizer.token_to_id(end)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"$A {end}", pair=f"$A $B {end}", special_tokens=[(end, end_id)]
            ),
        ]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=end,
        eos_token=end,
        padding_side="left",
        model_max_length=256,
    ).save_pretrained(folder / "base")
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=256,
        pad_token_id=end_id,
        eos_token_id=end_id,
    )
    Qwen3Model(config).save_pretrained(folder / "base")
    transformer = Transformer(str(folder / "base"), max_seq_length=128)
    modules = [transformer, Pooling(32, pooling_mode="lasttoken"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "tiny-qwen3"))
    return folder / "tiny-qwen3"


def recipe_table(base, source, **sections):
    """A recipe for a tiny model, as TOML parses it."""
    table = {
        "model": {"base": str(base), "query_prompt": "ask: ", "max_tokens": 40},
        "data": {"source": str(source)},
        "train": {
            "batch_size": 8,
            "learning_rate": 3e-3,
            "precision": "fp32",
            "device": "cpu",
            "max_steps": 6,
        },
        "loss": {},
        "evaluate": {"every_steps": 2, "metric": "ndcg@10"},
    }
    for name, keys in sections.items():
        table.setdefault(name, {}).update(keys)
    return table


@pytest.fixture
def recipe(bert, dataset):
    """Six steps of the tiny BERT on the toy data; keyword arguments change sections."""

    def make(base=bert, **sections) -> Recipe:
        return parse_recipe(recipe_table(base, dataset, **sections), "toy")

    return make
