"""Asking many questions: several at a time, within limits, each answer paid once."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from skillret.datasets.make.config import EndpointSection
from skillret.datasets.make.models.clients import Client, RefusedError, Reply, TransientError
from skillret.datasets.make.models.ledger import Ledger, Stored
from skillret.errors import ServiceError

__all__ = ["Answered", "Asker", "Question", "RateLimit", "tokens_of"]

_T = TypeVar("_T")
_CHARACTERS = 3.0  # of a token, at least; English has about 4
_LONGEST = 60.0  # seconds before a retry
_FAILURES = {"length": "half an answer", "refusal": "refusal"}
_AGAIN = "\n\nAn earlier answer to this could not be used ({reason}). Answer in the form asked for."


class Question(NamedTuple):
    """What is asked: rules that hold for all, and what this one is about."""

    system: str
    user: str


class Answered(NamedTuple, Generic[_T]):
    """What was read out of an answer, or why none could be used."""

    value: _T | None
    reason: str = ""


class RateLimit:
    """Lets so many pass a minute, evenly.

    Args:
        per_minute: How many; 0 for no limit.
        clock: Seconds.
        sleep: Waits.
    """

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._gap = 60 / per_minute if per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for one's turn."""
        if not self._gap:
            return
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._sleep(turn - now)


@dataclass(slots=True)
class _Run:
    """One batch of questions."""

    stop: threading.Event
    done: int = 0


class Asker:
    """Somebody who can be asked.

    Args:
        endpoint: Who.
        connect: Gives who reaches them; called with the first question that has to be sent.
        ledger: Where answers are kept.
        progress: Told how many of how many questions are done.
    """

    def __init__(
        self,
        endpoint: EndpointSection,
        connect: Callable[[], Client],
        ledger: Ledger,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.endpoint, self.ledger = endpoint, ledger
        self._connect, self._progress = connect, progress
        self._client: Client | None = None
        self._connecting = threading.Lock()
        self._limit = RateLimit(endpoint.per_minute)
        self._heard = threading.Event()  # of an answer: then the endpoint is not at fault
        self._refused = 0

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def ask(
        self, questions: Sequence[Question], read: Callable[[int, str], _T]
    ) -> list[Answered[_T]]:
        """Ask all questions.

        Args:
            questions: What is asked.
            read: Reads the answer to a question, by its number; raises ValueError with a short
                reason where that cannot be used, which is then asked again.

        Returns:
            For each question what was read, or why nothing was.

        Raises:
            BudgetReachedError: If the budget does not last. Answers that came are kept.
            ServiceError: If the endpoint fails.
        """
        run = _Run(threading.Event())
        lock = threading.Lock()

        def one(number: int) -> Answered[_T]:
            answered = self._settle(questions[number], lambda t: read(number, t), run.stop)
            with lock:
                run.done += 1
                self._progress(run.done, len(first))
            return answered

        first: dict[Question, int] = {}
        for number, question in enumerate(questions):
            first.setdefault(question, number)
        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            futures = [pool.submit(one, number) for number in first.values()]
            try:
                wait(futures, return_when="FIRST_EXCEPTION")
                if not any(f.done() and f.exception() for f in futures):
                    answers = dict(zip(first, (f.result() for f in futures), strict=True))
                    return [answers[question] for question in questions]
            finally:
                # Those in flight are paid for already and are waited for.
                run.stop.set()
                for future in futures:
                    future.cancel()
        errors = [e for f in futures if not f.cancelled() and (e := f.exception()) is not None]
        raise next((e for e in errors if not isinstance(e, _StoppedError)), errors[0])

    def _settle(
        self, question: Question, read: Callable[[str], _T], stop: threading.Event
    ) -> Answered[_T]:
        """An answer that can be used, from the ledger or the endpoint, after some attempts."""
        key = self._key(question)
        reason = ""
        for attempt in range(self.endpoint.attempts):
            stored = self.ledger.get(key, attempt)
            if stored is None:
                user = question.user + (_AGAIN.format(reason=reason) if reason else "")
                try:
                    stored = self._call(question._replace(user=user), (key, attempt), stop)
                except RefusedError as e:
                    self._count_refusal(e)
                    return Answered(None, "the endpoint refuses the question")
            if stored.finish in _FAILURES:
                reason = _FAILURES[stored.finish]
                continue
            try:
                return Answered(read(stored.text))
            except ValueError as e:
                reason = str(e)
        return Answered(None, reason)

    def _count_refusal(self, error: RefusedError) -> None:
        """One question may be at fault; where none is ever answered, it is how we ask."""
        self._refused += 1
        if self._refused >= 3 and not self._heard.is_set():
            raise ServiceError(f"the endpoint takes no question, it answers {error}") from None

    def _call(self, question: Question, place: tuple[str, int], stop: threading.Event) -> Stored:
        """Ask the endpoint until it answers; each try is entered in the ledger first."""
        input_, output = tokens_of(question), self.endpoint.max_tokens
        for retry in range(self.endpoint.retries + 1):
            client = self._connected()
            self._limit.wait()
            if stop.is_set():
                raise _StoppedError
            name = self.endpoint.name
            call = self.ledger.begin(name, (input_, output), self._cost(input_, output))
            try:
                reply = client.ask(question.system, question.user, output)
            except TransientError as e:
                billed = (input_, output) if e.billed else (0, 0)
                self.ledger.end(call, e.reason, billed, self._cost(*billed))
                last = e
            except BaseException as e:
                reason = "refused" if isinstance(e, RefusedError) else type(e).__name__
                self.ledger.end(call, reason, (0, 0), 0.0)
                raise
            else:
                return self._store(call, reply, place)
            if retry < self.endpoint.retries:
                # A random part, so that all who were turned away do not come back at once.
                pause = self.endpoint.backoff * 2**retry * random.uniform(0.5, 1)  # noqa: S311
                if stop.wait(min(max(pause, last.wait), _LONGEST)):
                    raise _StoppedError
        raise ServiceError(
            f"{self.endpoint.name} fails ({last.reason}) after {self.endpoint.retries} retries;"
            " every answer so far is kept: run the same command later to go on"
        )

    def _connected(self) -> Client:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _store(self, call: int, reply: Reply, place: tuple[str, int]) -> Stored:
        self._heard.set()
        stored = Stored(reply.text, reply.finish)
        tokens = (reply.input, reply.output)
        self.ledger.end(call, "answered", tokens, self._cost(*tokens), (*place, stored))
        return stored

    def _cost(self, input_: int, output: int) -> float:
        prices = self.endpoint.input_price, self.endpoint.output_price
        return (input_ * prices[0] + output * prices[1]) / 1e6

    def _key(self, question: Question) -> str:
        """A hash of all that an answer hangs on."""
        end = self.endpoint
        asked = (end.kind, end.name, end.temperature, end.max_tokens, end.options, *question)
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


class _StoppedError(Exception):
    """Another question has failed."""


def tokens_of(question: Question) -> int:
    """Tokens of a question: an upper bound for English, without any model's vocabulary."""
    return int(sum(len(part.encode()) for part in question) / _CHARACTERS) + 10
