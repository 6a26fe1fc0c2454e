"""A trained model on the hub, in one commit."""

from __future__ import annotations

from pathlib import Path

from skillret.errors import InputError, SkillretError
from skillret.extras import require
from skillret.files import parse_json
from skillret.retrieval.rerankers.profile import PROFILE
from skillret.training.card import addressed

__all__ = ["push"]

_CARD = "README.md"


def push(model_dir: Path, repository: str, *, public: bool = False) -> str:
    """Upload a model folder; the usage code on its card then names the repository.

    Args:
        model_dir: A sentence-transformers folder.
        repository: `OWNER/NAME` on the hub; made if it does not exist.
        public: Whether a repository that is made here can be seen by everyone.

    Returns:
        The address of the commit.

    Raises:
        InputError: If the folder is no model, or the repository's name has another form.
        MissingExtraError: If huggingface_hub is not installed.
        SkillretError: If the hub cannot be reached or refuses.
    """
    if not (model_dir / "modules.json").is_file():
        raise InputError(
            f"{model_dir} is no sentence-transformers folder: it holds no modules.json; give the"
            " folder `model` of a run"
        )
    owner, slash, name = repository.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise InputError(f"{repository!r} is no repository: give OWNER/NAME")
    require("evaluate", "pushing", ("huggingface_hub",))
    from huggingface_hub import CommitOperationAdd, HfApi

    files = [f for f in sorted(model_dir.rglob("*")) if f.is_file() and f.name != _CARD]
    operations = [CommitOperationAdd(f.relative_to(model_dir).as_posix(), f) for f in files]
    card = _card(model_dir, repository)
    if card is not None:
        operations.append(CommitOperationAdd(_CARD, card.encode()))
    api = HfApi()
    try:
        api.create_repo(repository, private=not public, exist_ok=True)
        commit = api.create_commit(repository, operations, commit_message="Upload model")
    except Exception as e:  # network, authorization and validation errors come in many classes
        reason = next(iter(str(e).strip().splitlines()), type(e).__name__)
        raise SkillretError(
            f"cannot push to {repository}: {reason} (log in with `hf auth login` or set HF_TOKEN)"
        ) from None
    return str(commit.commit_url)


def _card(model_dir: Path, repository: str) -> str | None:
    try:
        card = (model_dir / _CARD).read_text(encoding="utf-8")
        name = PROFILE if (model_dir / PROFILE).is_file() else "profile.json"
        profile = parse_json((model_dir / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return addressed(card, str(profile.get("name", "")), repository)
