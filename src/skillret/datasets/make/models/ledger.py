"""What was asked and answered, and what it cost: on the disk before the next question is sent.

One SQLite file holds every answer by the hash of its question, so that nothing is paid twice, and
every call with what it cost. A call is entered before it is sent, at the most that it may cost; so
one that a kill cut off counts against the budget.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from skillret.datasets.make.config import BudgetSection
from skillret.errors import SkillretError

__all__ = ["BudgetReachedError", "Ledger", "Stored"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    question TEXT NOT NULL, attempt INTEGER NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL,
    PRIMARY KEY (question, attempt)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, state TEXT NOT NULL,
    input INTEGER NOT NULL, output INTEGER NOT NULL, cost REAL NOT NULL
);
"""
_SENT = "sent"  # and never heard of again


class BudgetReachedError(SkillretError):
    """The next call could cost more than is left."""


class Stored(NamedTuple):
    """An answer: its text, and why it ended (`stop`, `length` or `refusal`)."""

    text: str
    finish: str


class Ledger:
    """Answers and calls of one benchmark. May be shared by threads.

    Args:
        file: Of SQLite.
        budget: What all calls together may cost.

    Raises:
        SkillretError: If the file cannot be used.
    """

    def __init__(self, file: Path, budget: BudgetSection) -> None:
        self._file, self._budget = file, budget
        self._lock = threading.Lock()
        with self._errors():
            file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            row = self._db.execute("SELECT TOTAL(cost), SUM(input + output) FROM calls").fetchone()
        self._cost, self._tokens = float(row[0]), int(row[1] or 0)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, question: str, attempt: int) -> Stored | None:
        """The answer to a question, if it has been given."""
        with self._lock, self._errors():
            row = self._db.execute(
                "SELECT text, finish FROM answers WHERE question = ? AND attempt = ?",
                (question, attempt),
            ).fetchone()
        return None if row is None else Stored(*row)

    def begin(self, model: str, tokens: tuple[int, int], cost: float) -> int:
        """Enter a call before it is sent.

        Args:
            model: Who is asked.
            tokens: Of question and answer, at most.
            cost: At most.

        Returns:
            The call's number.

        Raises:
            BudgetReachedError: If that is more than is left; nothing is entered then.
        """
        with self._lock, self._errors():
            self._check(sum(tokens), cost)
            cursor = self._db.execute(
                "INSERT INTO calls (model, state, input, output, cost) VALUES (?, ?, ?, ?, ?)",
                (model, _SENT, *tokens, cost),
            )
            self._cost += cost
            self._tokens += sum(tokens)
            return int(cursor.lastrowid or 0)

    def _check(self, tokens: int, cost: float) -> None:
        budget = self._budget
        if budget.cost and self._cost + cost > budget.cost:
            spent, limit = f"{self._cost:.4f}", f"cost = {budget.cost:g}"
        elif budget.tokens and self._tokens + tokens > budget.tokens:
            spent, limit = f"{self._tokens:,} tokens", f"tokens = {budget.tokens}"
        else:
            return
        raise BudgetReachedError(
            f"the budget is reached: {spent} of [budget] {limit}, and the next call may go beyond"
            " it; every answer so far is kept: raise it and run the same command to go on"
        )

    def end(
        self,
        call: int,
        state: str,
        tokens: tuple[int, int],
        cost: float,
        answer: tuple[str, int, Stored] | None = None,
    ) -> None:
        """Enter what became of a call, and its answer in the same transaction.

        Args:
            call: Its number.
            state: `answered`, or what went wrong.
            tokens: Of question and answer, as billed.
            cost: As billed.
            answer: The question's hash, the attempt, and the answer.
        """
        with self._lock, self._errors():
            old = self._db.execute(
                "SELECT input + output, cost FROM calls WHERE id = ?", (call,)
            ).fetchone()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(
                    "UPDATE calls SET state = ?, input = ?, output = ?, cost = ? WHERE id = ?",
                    (state, *tokens, cost, call),
                )
                if answer is not None:
                    question, attempt, stored = answer
                    self._db.execute(
                        "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                        (question, attempt, *stored),
                    )
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._tokens += sum(tokens) - old[0]
            self._cost += cost - old[1]

    def report(self) -> list[str]:
        """A line for each model: calls by what became of them, tokens and cost."""
        with self._lock, self._errors():
            rows = self._db.execute(
                "SELECT model, state, COUNT(*), SUM(input), SUM(output), TOTAL(cost) FROM calls"
                " GROUP BY model, state ORDER BY model, state"
            ).fetchall()
        lines = []
        for model in dict.fromkeys(row[0] for row in rows):
            mine = [row for row in rows if row[0] == model]
            states = ", ".join(f"{row[2]:,} {row[1]}" for row in mine)
            calls, input_, output = (sum(row[n] for row in mine) for n in (2, 3, 4))
            cost = sum(row[5] for row in mine)
            lines.append(
                f"{model}: {calls:,} calls ({states}), {input_:,} tokens in and {output:,} out,"
                f" cost {cost:.4f}"
            )
        return lines

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as e:
            raise SkillretError(f"cannot use {self._file}, where answers are kept: {e}") from None
