"""A small data set for the commands that measure."""

from tests.evaluation.conftest import dataset

__all__ = ["dataset"]
