"""Tiny cross-encoders with random weights, of the architectures that rerankers have."""

from tests.training.conftest import _texts, make_bert

CHAT = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]


def make_base(folder, positions=96):
    """A tiny BERT as transformers knows it, without a head; its folder."""
    make_bert(folder, positions)
    return folder / "base"


def make_cross_encoder(folder, positions=96, labels=1):
    """A tiny BERT with a classification head; its folder."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = make_base(folder, positions)
    torch.manual_seed(1)
    # Labels are not similar by chance: a head of larger weights tells pairs apart.
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels)
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    model.save_pretrained(folder / "tiny-cross-encoder")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder / "tiny-cross-encoder")
    return folder / "tiny-cross-encoder"


def make_mpnet(folder, positions=96):
    """A tiny MPNet, which takes no token types; its folder."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import (
        MPNetConfig,
        MPNetForSequenceClassification,
        PreTrainedTokenizerFast,
    )

    words = sorted({w for t in _texts() for w in t.lower().replace("|", " ").split()})
    special = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
    known = {w: i for i, w in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder / "tiny-mpnet")
    torch.manual_seed(0)
    config = MPNetConfig(
        vocab_size=len(known),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        num_labels=1,
    )
    MPNetForSequenceClassification(config).save_pretrained(folder / "tiny-mpnet")
    return folder / "tiny-mpnet"


def make_qwen_reranker(folder, positions=1024):
    """A tiny Qwen3ForCausalLM with Qwen3's special tokens; its folder.

    Byte-level BPE, no token added by a post-processor: as Qwen3-Reranker has it, only small.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=800,
        special_tokens=CHAT,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*_texts(), *["yes no yes no"] * 50], trainer)
    tokenizer.add_tokens(["yes", "no"])
    out = folder / "tiny-qwen3-reranker"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=CHAT[0], eos_token=CHAT[2], padding_side="left"
    ).save_pretrained(out)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        initializer_range=0.2,
        pad_token_id=0,
        eos_token_id=2,
    )
    Qwen3ForCausalLM(config).save_pretrained(out)
    return out
