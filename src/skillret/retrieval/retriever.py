"""The one facade: from a query to the skills that fit it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from skillret.encoders import DEFAULT_MODEL, Encoder
from skillret.errors import (
    EncoderError,
    InputError,
    MissingExtraError,
    SkillretError,
)
from skillret.files import expand
from skillret.index.forks import after_fork
from skillret.index.index import Index
from skillret.index.sources import Sources
from skillret.retrieval.arguments import check_count, check_mode, check_where, portions
from skillret.retrieval.calibration import Calibration, load_calibration
from skillret.retrieval.found import hits_of, picked_hits
from skillret.retrieval.own_index import made_again, open_library
from skillret.retrieval.query import clean_query, unread_language
from skillret.retrieval.refresh import Folders, refresh
from skillret.retrieval.rerank import Reranker, load_reranker
from skillret.retrieval.searcher import Searcher
from skillret.retrieval.selection import SelectionPolicy
from skillret.settings import Settings, load_settings
from skillret.types import Hit, Mode, Progress, Selection, UpdateReport, Where

__all__ = ["Retriever"]

_T = TypeVar("_T")
_LOOK = 2.0  # seconds between two looks into the folders, at least
_SHARE_OF_TIME = 20  # times as long as a look takes


class Retriever:
    """Finds the skills of an index that fit a query. Safe to share between threads.

    A change of the index, by this process or another one, is seen by the next search.

    Args:
        index: The index to search; it brings its encoder along.
        mode: `hybrid`, `dense` or `lexical`.
        calibration: What was fitted for the encoder, or its file; what lies beside its weights if
            None.
        reranker: Reads the best hits once more and decides their order: a model folder, a hub id,
            the name of an entry point `skillret.rerankers`, or an object
            (`skillret.retrieval.rerank`).

    Raises:
        EncoderError: If the encoder or its calibration cannot be loaded.
        EncoderMismatchError: If the index holds another encoder's vectors.
        InputError: If the mode is unknown.

    Example:
        >>> retriever = Retriever.open(library="examples/skills")
        >>> [hit.name for hit in retriever.search("turn this scanned PDF into a spreadsheet", k=1)]
        ['scanned-pdf-to-spreadsheet']
    """

    def __init__(
        self,
        index: Index,
        *,
        mode: Mode = "hybrid",
        calibration: str | os.PathLike[str] | Calibration | None = None,
        reranker: str | os.PathLike[str] | Reranker | None = None,
    ) -> None:
        self.index = index
        self.mode = check_mode(mode)
        self._settings = Settings()
        self._folders: Folders | None = None
        self._next_look = 0.0
        self._renew_lock()
        after_fork(self._renew_lock)
        self.calibration = load_calibration(index.encoder, calibration)
        self.reranker = load_reranker(reranker)
        index.check_encoder()
        self._searcher: Searcher | None = None

    def _renew_lock(self) -> None:
        self._looking = threading.Lock()
        # More searches at once than processors only take Python's lock from one another: eight
        # threads do a third more work if they take turns (benchmarks/scale.py).
        self._turns = threading.BoundedSemaphore(os.cpu_count() or 1)

    @classmethod
    def open(
        cls,
        *,
        index: str | os.PathLike[str] | None = None,
        library: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        agent: str | Sequence[str] | None = None,
        model: str | os.PathLike[str] | Encoder | None = None,
        mode: Mode = "hybrid",
        calibration: str | os.PathLike[str] | Calibration | None = None,
        reranker: str | os.PathLike[str] | Reranker | None = None,
        settings: Settings | None = None,
        cwd: str | os.PathLike[str] | None = None,
        trust_remote_code: bool = False,
        on_update: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> Retriever:
        """Open an index, or the index of a library, which is built or brought up to date first.

        A retriever on a library looks into its folders from time to time, so that a process that
        lives long sees what was added, changed and removed.

        Args:
            index: An index file. Without `library` it is searched as it is.
            library: Folder or folders with skills; without `index` too, the usual places.
            agent: Only the usual places of this agent, such as `claude-code`, by its own rules of
                precedence; or of several.
            model: `default`, a folder, a hub id or an encoder; that of the settings, or else the
                packaged one, if None.
            mode: `hybrid`, `dense` or `lexical`.
            calibration: See `Retriever`.
            reranker: See `Retriever`.
            settings: What holds where nothing else is asked for. If None, they are read where the
                usual places are, and nothing is set where an index or folders are named. Their
                threshold does not count beside a `calibration`.
            cwd: The folder from where usual places and settings are looked for; the current one if
                None.
            trust_remote_code: Run Python code that a model brings along.
            on_update: Told in one line what was built or refreshed, and why something was not.
            progress: Called with the documents encoded so far and in all.

        Raises:
            InputError: If a folder is missing, an agent unknown, or no skill is found.
            StoreError: If the index cannot be opened or written.
            EncoderError: If the encoder cannot be loaded.
            EncoderMismatchError: If an index given by name holds another encoder's vectors.
        """
        if isinstance(library, (str, os.PathLike)):
            library = [library]
        agents = [agent] if isinstance(agent, str) else list(agent or ())
        mode = check_mode(mode)
        reranker = load_reranker(reranker)  # one that is not there is said before anything is read
        tell = on_update or (lambda _: None)
        here = None if cwd is None else expand(cwd).absolute()
        if settings is None:
            settings = Settings()
            if index is None and not library:
                settings = load_settings(here)
                for remark in settings.remarks:
                    tell(remark)
        if model is None and settings.model is not None:
            with settings.blamed("model", EncoderError, MissingExtraError):
                return cls.open(
                    index=index,
                    library=library,
                    agent=agent,
                    model=settings.model,
                    mode=mode,
                    calibration=calibration,
                    reranker=reranker,
                    settings=settings,
                    cwd=cwd,
                    trust_remote_code=trust_remote_code,
                    on_update=on_update,
                    progress=progress,
                )
        if model is None:
            model = DEFAULT_MODEL
        if calibration is not None:
            settings = replace(settings, threshold=None)
        if index is not None and not library and not agents:
            opened = Index.open(index, model=model, trust_remote_code=trust_remote_code)
            try:
                opened.check_built()
                retriever = cls(opened, mode=mode, calibration=calibration, reranker=reranker)
                retriever._settings = settings
                return retriever
            except BaseException:
                opened.close()
                raise
        folders = Folders.of(library or (), settings, agents, here)
        opened = open_library(
            folders, index, model, tell, progress, trust_remote_code=trust_remote_code
        )
        try:
            retriever = cls(opened, mode=mode, calibration=calibration, reranker=reranker)
            retriever._settings = settings
            retriever._watch(folders, ours=index is None, tell=tell)
            return retriever
        except BaseException:
            opened.close()
            raise

    def _watch(self, folders: Folders, *, ours: bool, tell: Callable[[str], None]) -> None:
        self._folders, self._ours, self._tell = folders, ours, tell
        self._next_look = time.monotonic() + _LOOK

    @property
    def encoder(self) -> Encoder:
        """The encoder of the index."""
        return self.index.encoder

    @property
    def policy(self) -> SelectionPolicy:
        """How `select` chooses a set: as it was fitted, but for what the settings say."""
        policy = SelectionPolicy.of(self.calibration)
        threshold, limit = self._settings.threshold, self._settings.limit
        return replace(
            policy,
            threshold=policy.threshold if threshold is None else threshold,
            limit=policy.limit if limit is None else limit,
        )

    def close(self) -> None:
        """Close the index; searches under way come to their end."""
        self.index.close()

    def __enter__(self) -> Retriever:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> UpdateReport | None:
        """Look into the folders of the library now; what was done, None if nothing had changed.

        Without folders it only takes up what others have written, which every search does.

        Raises:
            InputError: If no folder holds a skill any more.
            StoreError: If what has changed can be neither read nor stored.
        """
        report = None
        if self._folders is not None:
            with self._looking:
                report = self._refresh(self._folders)
        self.searcher()
        return report

    def searcher(self) -> Searcher:
        """The current generation, ready to be searched; it never changes.

        Raises:
            StoreError: If the index cannot be read.
            EncoderMismatchError: If another process has re-encoded it meanwhile.
        """
        return self._whole(self._current)

    def _whole(self, ask: Callable[[], _T]) -> _T:
        """What is asked; once more where an index that nobody named is damaged, and made anew."""
        folders = self._folders
        if folders is None or not self._ours:
            return ask()
        return made_again(self.index, folders, ask, self._tell)

    def _current(self) -> Searcher:
        corpus = self.index.corpus()
        searcher = self._searcher
        if searcher is None or searcher.corpus is not corpus:
            self.index.check_encoder(corpus)
            if self._folders is not None and self._ours:
                self.index.check_built()  # another process may be making it anew
            # Complete before it takes the place of the one before.
            sources = Sources.from_info(self.index.info())
            searcher = Searcher(
                corpus,
                self.encoder,
                self.calibration,
                self.reranker,
                of_agent=bool(sources.agent),
                roots=sources.folders,
            )
            self._searcher = searcher
        return searcher

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> list[Hit]:
        """The best skills for a query, best first; of equal scores the one indexed earlier.

        Args:
            query: The query, as a user typed it; cut at 100,000 characters.
            k: How many at most. Lexical search returns fewer where fewer share a word.
            mode: Overrides the retriever's mode.
            where: What the metadata of a skill must hold: `{"tag": "x"}`, or one of several values
                `{"tag": ["x", "y"]}`. Others are as good as absent.
            explain: Say which terms and sentences of the query carried each hit.

        Raises:
            InputError: If the query is empty or `k` is below 1.
            StoreError: If the index cannot be read.
        """
        (hits,) = self.search_batch([query], k, mode=mode, where=where, explain=explain)
        return hits

    def search_batch(
        self,
        queries: Sequence[str],
        k: int = 5,
        *,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> list[list[Hit]]:
        """The best skills for each of several queries, all in one generation; see `search`."""
        return list(self.search_each(queries, k, mode=mode, where=where, explain=explain))

    def search_each(
        self,
        queries: Sequence[str],
        k: int = 5,
        *,
        mode: Mode | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> Iterator[list[Hit]]:
        """As `search_batch`, some queries at a time: others search in between, and it can be left.

        Raises:
            InputError: When the first is asked for, as in `search`.
            StoreError: If the index cannot be read.
        """
        mode = self.mode if mode is None else check_mode(mode)
        check_count("k", k)
        if isinstance(queries, str):
            raise InputError("give a list of queries; for a single one there is `search`")
        check_where(where)
        self._look()
        one: Searcher | None = None  # for all of them

        def answer(some: Sequence[str]) -> list[list[Hit]]:
            nonlocal one
            searcher, one = one or self._current(), None  # none, once it was found to be damaged
            with self._turns:
                rankings = searcher.rank_all(some, int(k), mode, where)
                hits = [hits_of(searcher, ranking, mode, explain) for ranking in rankings]
            one = searcher
            return hits

        for some in portions(queries):
            yield from self._whole(partial(answer, some))

    def select(
        self,
        query: str,
        *,
        limit: int | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> Selection:
        """The set of skills to hand to an agent: as many as the query needs, or none.

        How it is chosen is described at `skillret.retrieval.selection.select`.

        Args:
            query: The query.
            limit: How many at most; the policy's own limit if None.
            where: As in `search`.
            explain: As in `search`.

        Raises:
            InputError: If the query is empty, `limit` is below 1, or the retriever's mode is not
                `hybrid`: neither cosines nor BM25 alone say how many skills a query needs.
            StoreError: If the index cannot be read.
        """
        return self._looked_up(query, 0, limit, where, explain)[1]

    def look_up(
        self,
        query: str,
        k: int = 5,
        *,
        limit: int | None = None,
        where: Where | None = None,
        explain: bool = False,
    ) -> tuple[list[Hit], Selection]:
        """`search` and `select` at once, from one ranking: what is near, and which of it fits.

        Args:
            query: The query.
            k: How many hits at most.
            limit: How many are selected at most; the policy's own limit if None.
            where: As in `search`.
            explain: As in `search`.

        Raises:
            InputError: As in `search` and `select`.
            StoreError: If the index cannot be read.
        """
        check_count("k", k)
        return self._looked_up(query, int(k), limit, where, explain)

    def _looked_up(
        self, query: str, k: int, limit: int | None, where: Where | None, explain: bool
    ) -> tuple[list[Hit], Selection]:
        policy = self.policy
        if limit is not None:
            check_count("limit", limit)
            policy = replace(policy, limit=int(limit))
        if self.mode != "hybrid":
            raise InputError(f"a selection works in hybrid mode, not in {self.mode}")
        check_where(where)
        self._look()

        def answer() -> tuple[list[Hit], Selection]:
            with self._turns:
                searcher = self._current()
                whole = searcher.rank(query, max(k, policy.depth), where=where)
                chosen = searcher.select(query, policy, where, whole)
                near = range(min(k, len(whole)))
                hits = hits_of(searcher, whole, "hybrid", explain, near) if k else []
                selected = picked_hits(searcher, chosen.picked, explain)
                for_user = picked_hits(searcher, chosen.for_user, explain)
            return hits, Selection(query, selected, chosen.need, chosen.missing, for_user)

        return self._whole(answer)

    def unread_language(self, query: str) -> str | None:
        """The language of a query that the encoder does not read; None if all is well.

        Only the words that a skill shares with such a query count for sure.

        Raises:
            InputError: If the query is empty.
        """
        return unread_language(clean_query(query), self.encoder.profile)

    def _look(self) -> None:
        """Look into the folders if it is time, without keeping other threads waiting."""
        folders = self._folders
        if folders is None or time.monotonic() < self._next_look:
            return
        if self._looking.acquire(blocking=False):
            try:
                self._refresh(folders)
            except SkillretError as e:
                self._tell(f"searching the index as it is: {e}")
            finally:
                self._looking.release()

    def _refresh(self, folders: Folders) -> UpdateReport | None:
        start = time.monotonic()
        try:
            library = folders.library()
            return self._whole(
                lambda: refresh(self.index, folders, library, self._tell, ours=self._ours)
            )
        finally:
            now = time.monotonic()
            self._next_look = now + max(_LOOK, _SHARE_OF_TIME * (now - start))
