"""Random models of a known shape, texts of a known length, and the operations that both cost."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
)

__all__ = [
    "QWEN_06B",
    "TINY",
    "Shape",
    "device_name",
    "matrix_rate",
    "peak_flops",
    "peak_memory",
    "save_qwen",
    "save_tiny",
    "words",
    "write_data",
]

# BF16 on tensor cores without sparsity, from NVIDIA's datasheets of the H100 and the H200, which
# give twice these figures "with sparsity". The first word found in the device's name counts.
PEAKS = (("NVL", 835e12), ("PCIe", 756e12), ("H200", 989e12), ("H100", 989e12))
_SPECIAL = ("[PAD]", "[UNK]", "[END]")


@dataclass(frozen=True)
class Shape:
    """The sizes of a Qwen3 model."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    positions: int

    def forward_flops(self, tokens: int) -> float:
        """Floating-point operations of one text's forward pass.

        Two for each weight of a matrix and token (Kaplan et al., arXiv:2001.08361, section 2.1),
        and for attention four for each value of a query's heads and key that it sees: products
        with keys and with values. A token sees itself and those before it. The table of embeddings
        is looked up and not multiplied; norms, rotations and softmax are left out.
        """
        width = self.heads * self.head_dim
        projections = self.hidden * (2 * width + 2 * self.kv_heads * self.head_dim)
        matrices = self.layers * (projections + 3 * self.hidden * self.feed_forward)
        seen = tokens * (tokens + 1) / 2
        return 2 * matrices * tokens + self.layers * 4 * width * seen

    def training_flops(self, tokens: int) -> float:
        """Those of a training step, of one text.

        The backward pass counts twice the forward pass, and what is computed again to save memory
        counts nothing: model FLOPs (Chowdhery et al., arXiv:2204.02311, appendix B), so that the
        share of the peak tells how fast the work gets done.
        """
        return 3 * self.forward_flops(tokens)


# https://huggingface.co/Qwen/Qwen3-Embedding-0.6B, config.json
QWEN_06B = Shape(28, 1024, 16, 8, 128, 3072, 151_669, 32_768)
TINY = Shape(2, 32, 4, 2, 8, 64, 300, 256)


def peak_flops(device: str) -> float | None:
    """BF16 operations a second that a GPU's datasheet promises, dense; None if it is not known."""
    return next((peak for word, peak in PEAKS if word in device), None) if device else None


def device_name(device: str) -> str:
    """What the GPU is called; empty on a CPU."""
    return str(torch.cuda.get_device_name()) if device == "cuda" else ""


def peak_memory(device: str) -> float | None:
    """GiB that torch has held at most since the last call; None on a CPU."""
    if device != "cuda":
        return None
    found = torch.cuda.max_memory_allocated() / 2**30
    torch.cuda.reset_peak_memory_stats()
    return found


def matrix_rate(device: str, dry: bool) -> float:
    """Operations a second of one large BF16 product of random matrices: what is within reach."""
    size, runs = (64, 1) if dry else (8192, 20)
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    synchronize(device)
    start = time.perf_counter()
    for _ in range(runs):
        a @ b
    synchronize(device)
    return runs * 2 * size**3 / (time.perf_counter() - start)


def synchronize(device: str) -> None:
    """Wait for what the GPU has been told to do."""
    if device == "cuda":
        torch.cuda.synchronize()


def save_qwen(shape: Shape, folder: Path, device: str) -> Path:
    """A random Qwen3 embedding model in BF16 as a sentence-transformers folder.

    Causal, with an end token that the tokenizer adds, left padding and last-token pooling, as
    Qwen3-Embedding is. The tokenizer knows the words `w0`, `w1`, ..., one token each.
    """
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=shape.positions,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        pad_token_id=0,
        eos_token_id=_SPECIAL.index("[END]"),
    )
    with torch.device(device):
        model = Qwen3Model(config).to(torch.bfloat16)
    return _save(model, folder, shape.vocabulary, "left", "lasttoken", shape.positions)


def save_tiny(kind: str, folder: Path) -> Path:
    """A random `bert` or `mpnet` of two layers, in float32, as a sentence-transformers folder."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": TINY.vocabulary,
        "hidden_size": TINY.hidden,
        "num_hidden_layers": TINY.layers,
        "num_attention_heads": TINY.heads,
        "intermediate_size": TINY.feed_forward,
        "max_position_embeddings": TINY.positions,
        "pad_token_id": 0,
    }
    model = BertModel(BertConfig(**sizes)) if kind == "bert" else MPNetModel(MPNetConfig(**sizes))
    return _save(model, folder, TINY.vocabulary, "right", "mean", TINY.positions)


def words(draw: random.Random, count: int, vocabulary: int) -> str:
    """A text of so many tokens, without the one that ends it."""
    return " ".join(f"w{draw.randrange(vocabulary - len(_SPECIAL))}" for _ in range(count))


def write_data(
    folder: Path, splits: Sequence[tuple[str, int]], tokens: tuple[int, int], vocabulary: int
) -> Path:
    """A data set in SkillRet layout whose queries and skills are words without a meaning.

    Args:
        folder: Of the data set.
        splits: Each split's name and number of pairs, a query and its only skill.
        tokens: Of a query and of a skill's body.
        vocabulary: Of the model.
    """
    draw = random.Random(0)
    for split, pairs in splits:
        tables: dict[str, list[dict[str, Any]]] = {"skills": [], "queries": [], "qrels": []}
        for i in range(pairs):
            skill, query = f"{split}-{i}", f"{split}-query-{i}"
            name, purpose = (words(draw, n, vocabulary) for n in (1, 4))
            body = words(draw, tokens[1], vocabulary)
            tables["skills"].append(
                {"id": skill, "name": name, "description": purpose, "skill_md": body}
            )
            # The kind is one of those that the packaged recipes neither repeat nor thin out.
            text = f"{purpose} {words(draw, tokens[0] - 4, vocabulary)}"
            tables["queries"].append({"id": query, "query": text, "kind": "routing"})
            tables["qrels"].append({"query_id": query, "skill_id": skill, "relevance": 1})
        for table, rows in tables.items():
            file = folder / "data" / table / f"{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(json.dumps(row) + "\n" for row in rows)
            file.write_text(text, encoding="utf-8")
    return folder


def _save(
    model: Any, folder: Path, vocabulary: int, padding: str, pooling: str, positions: int
) -> Path:
    known = [*_SPECIAL, *(f"w{i}" for i in range(vocabulary - len(_SPECIAL)))]
    ids = {word: i for i, word in enumerate(known)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [END]", pair="$A $B [END]", special_tokens=[("[END]", ids["[END]"])]
    )
    base = folder / "base"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        eos_token="[END]",
        padding_side=padding,
        model_max_length=positions,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(base)
    model.save_pretrained(base)
    transformer = Transformer(str(base), max_seq_length=positions)
    pool = Pooling(int(model.config.hidden_size), pooling_mode=pooling)
    whole = SentenceTransformer(modules=[transformer, pool, Normalize()], device="cpu")
    whole.save(str(folder / "model"), create_model_card=False)
    return folder / "model"
