"""The cross-encoder that is trained: sentence-transformers' model with our tokens of pairs."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from transformers import AutoConfig, set_seed
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.utils import logging

from skillret.errors import EncoderError
from skillret.retrieval.rerankers.pairs import Pair, PairTokens, pad
from skillret.retrieval.rerankers.profile import RerankerProfile, kind_of_architecture
from skillret.training.recipe import Recipe
from skillret.training.starting_model import check_positions, guarded_load

__all__ = ["PairModel", "load_pair_model"]


class PairModel(CrossEncoder):  # type: ignore[misc]
    """A `CrossEncoder` whose pairs become tokens as they do where it is used.

    `pairs` makes the tokens, `profile` says how, `types` whether the model takes token types; all
    are set by `load_pair_model`.
    """

    pairs: PairTokens
    profile: RerankerProfile
    types: bool

    def preprocess(self, inputs: Any, prompt: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Tensors of `(query, document)` pairs."""
        return self.features(self.pairs.encode([(query, document) for query, document in inputs]))

    def features(self, pairs: list[Pair]) -> dict[str, Any]:
        """Tensors of tokens."""
        arrays = pad(pairs, left=self.pairs.left, types=self.types)
        found: dict[str, Any] = {name: torch.from_numpy(a) for name, a in arrays.items()}
        if self.pairs.left:
            found["logits_to_keep"] = 1  # the others of a vocabulary of 150,000 take gigabytes
        return found


def load_pair_model(recipe: Recipe, device: str | None = None) -> PairModel:
    """Load the base model in float32, with a new head where it has none.

    Args:
        recipe: Its name, its section `model` and its seed are used.
        device: torch device; chosen by sentence-transformers if None.

    Raises:
        EncoderError: If it cannot be found or loaded, needs remote code without permission, or is
            neither an encoder nor a language model whose tokenizer knows "yes" and "no".
        InputError: If it cannot take pairs of `max_tokens`.
    """
    section = recipe.model

    def load(name: str, options: dict[str, Any]) -> PairModel:
        config = AutoConfig.from_pretrained(name, **options)
        architecture = next(iter(config.architectures or ()), "unknown")
        decoder = kind_of_architecture(architecture) == "decoder"
        if not decoder and config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
            raise EncoderError(
                f"{section.base!r} is a {architecture}: a reranker starts from an encoder such as"
                " BERT, or from a ...ForCausalLM such as Qwen3-Reranker"
            )
        set_seed(recipe.train.seed)  # a new head is drawn
        # A head that is new is what is meant, and no load report is needed to say so.
        before = logging.get_verbosity()
        logging.set_verbosity_error()
        transformer = Transformer(
            name,
            transformer_task="text-generation" if decoder else "sequence-classification",
            model_kwargs={
                **options,
                "use_safetensors": True,  # a pickle can run code
                "attn_implementation": section.attention,
                "dtype": torch.float32,  # autocast lowers the forward pass, not the weights
            },
            config_kwargs=options if decoder else {**options, "num_labels": 1},
            processor_kwargs=options,
        )
        logging.set_verbosity(before)
        profile = RerankerProfile(
            recipe.name,
            kind="decoder" if decoder else "encoder",
            instruction=section.instruction,
            template=section.template,
            max_tokens=section.max_tokens,
        )
        pairs = PairTokens(transformer.tokenizer.backend_tokenizer, profile)
        head = [] if pairs.answers is None else [LogitScore(*pairs.answers)]
        # Scores are logits: what a sigmoid would add is no probability that was fitted.
        model = PairModel(
            modules=[transformer, *head], device=device, activation_fn=torch.nn.Identity()
        )
        model.pairs, model.profile = pairs, profile
        takes = inspect.signature(transformer.model.forward).parameters
        model.types = "token_type_ids" in takes and not pairs.left
        return model

    model: PairModel = guarded_load(section, load)
    check_positions(model, section)
    return model
