"""Opening the index of a library; one that nobody named is made anew where it is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from skillret.encoders import Encoder
from skillret.errors import IndexCorruptError, IndexMissingError, NoSkillsError, StoreError
from skillret.index.damage import identity, kept_as, set_aside
from skillret.index.index import Index
from skillret.index.sources import default_index_path
from skillret.retrieval.refresh import Folders, in_turn, nothing_found, refresh
from skillret.types import Progress

__all__ = ["made_again", "open_library", "renewed"]

_T = TypeVar("_T")


def open_library(
    folders: Folders,
    index: str | os.PathLike[str] | None,
    model: str | os.PathLike[str] | Encoder,
    tell: Callable[[str], None],
    progress: Progress | None = None,
    *,
    trust_remote_code: bool = False,
) -> Index:
    """The index of a library, which is built or brought up to date first.

    Args:
        folders: Where the library is looked for.
        index: The file that was named for it; its own one in the data directory if None.
        model: See `Index`.
        tell: Told in one line what was done.
        progress: Called with the documents encoded so far and in all.
        trust_remote_code: See `Index`.

    Raises:
        InputError: If no skill is found.
        StoreError: If the index cannot be opened or written.
        EncoderError: If the encoder cannot be loaded.
        EncoderMismatchError: If an index given by name holds another encoder's vectors.
    """
    library = folders.library()
    path = default_index_path(library, _name(model)) if index is None else index
    if not os.path.exists(path) and not library.skills:  # noqa: PTH110
        raise NoSkillsError(nothing_found(library))  # before an empty index is there to be found

    def opened() -> Index:
        made = Index.open(path, create=True, model=model, trust_remote_code=trust_remote_code)
        try:
            made.encoder  # noqa: B018 (an unusable one is said before anything is read)
            refresh(made, folders, library, tell, progress, ours=index is None)
            return made
        except BaseException:
            made.close()
            raise

    return renewed(path, opened, tell) if index is None else opened()


def made_again(
    index: Index, folders: Folders, ask: Callable[[], _T], tell: Callable[[str], None]
) -> _T:
    """What is asked of the open index of a library that nobody named; see `renewed`.

    Raises:
        IndexCorruptError: If it is damaged, and cannot be set aside.
    """
    path: Path = index.store.path  # type: ignore[attr-defined]  # nobody named it, so it is a file
    again = False

    def use() -> _T:
        nonlocal again
        if again:
            # The open index sees it as it sees every other file that is put in its place.
            with Index.open(path, create=True, model=index.encoder) as anew:
                refresh(anew, folders, folders.library(), tell, ours=True)
            index.corpus()
        again = True
        seen = identity(path)
        try:
            return ask()
        except (IndexCorruptError, IndexMissingError):
            raise
        except StoreError as e:
            if seen is not None and identity(path) == seen:
                raise
            # Nothing is there for a moment while another process makes it anew.
            raise IndexMissingError(e.what) from None

    return renewed(path, use, tell)


def renewed(path: str | os.PathLike[str], use: Callable[[], _T], tell: Callable[[str], None]) -> _T:
    """What a use of an index gives; where that finds damage, what it gives once more without it.

    Only for an index that nobody named: it holds nothing but what can be read again.

    Args:
        path: The file.
        use: Opens it, and makes it if it is missing.
        tell: Told in one line what was set aside.

    Raises:
        IndexCorruptError: If it is damaged, and cannot be set aside.
    """
    file = Path(os.path.realpath(path))
    seen = identity(file)
    try:
        return use()
    except IndexMissingError:  # it was open, and another process is just making it anew
        return use()
    except IndexCorruptError as e:
        damage = e
    try:
        moved = in_turn(lambda timeout: set_aside(file, seen, timeout), tell)
    except StoreError as e:
        raise IndexCorruptError(
            damage.what, f"it is made anew once it is deleted; it was not set aside: {e}"
        ) from None
    if moved:
        tell(f"{damage.what}: it is set aside as {kept_as(file).name} and made anew")
    return use()


def _name(model: str | os.PathLike[str] | Encoder) -> str:
    return os.fspath(model) if isinstance(model, (str, os.PathLike)) else model.profile.name
