"""The errors that reach a user. Each message says what was wrong, where, and what to do.

The command line turns any of them into one line on stderr and exit status 1.
"""

__all__ = [
    "DatasetError",
    "EncoderError",
    "EncoderMismatchError",
    "ExtensionError",
    "IndexBusyError",
    "IndexCorruptError",
    "IndexMissingError",
    "InputError",
    "MissingExtraError",
    "NoSkillsError",
    "ServiceError",
    "SkillretError",
    "StoreError",
    "TrainingError",
]


class SkillretError(Exception):
    """Base of every error that skillret raises on purpose."""


class InputError(SkillretError, ValueError):
    """An argument of the caller is at fault: an empty query, a folder that is missing."""


class NoSkillsError(InputError):
    """No skill was found where skills were looked for."""


class DatasetError(SkillretError):
    """A data set is missing, incomplete or malformed."""


class EncoderError(SkillretError):
    """A model cannot be loaded or does not produce usable vectors."""


class MissingExtraError(SkillretError, ImportError):
    """A library is not installed that an optional part of skillret needs."""


class ExtensionError(SkillretError):
    """What another package adds to skillret cannot be used."""


class StoreError(SkillretError):
    """An index cannot be read or written.

    Args:
        what: What is wrong with it.
        remedy: What to do about it, if that is for who has named the index to a command.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}; {remedy}" if remedy else what)
        self.what = what


class IndexCorruptError(StoreError):
    """The file is not an index, or it is damaged."""


class IndexMissingError(StoreError):
    """There is no index, or its first build has not finished."""


class IndexBusyError(StoreError):
    """Another process is writing the index and did not finish in time."""


class EncoderMismatchError(StoreError):
    """The index holds vectors of another encoder; vectors of two encoders never mix."""


class ServiceError(SkillretError):
    """A service cannot be reached, has no time, or does not answer as `skillret serve` does."""


class TrainingError(SkillretError):
    """A run cannot start or go on: no such device, a full disk, a loss that is no number."""
