"""What monitoring asks for, by prometheus-client."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from skillret._version import __version__
from skillret.errors import SkillretError
from skillret.serving.service import Service

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["Metrics"]

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where workers keep their counts, for all to be asked


class Metrics:
    """Counts of one application.

    Args:
        service: Whose libraries are looked at when someone asks.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, service: Service) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        own = CollectorRegistry()
        self.requests = Counter(
            "skillret_requests",
            "Requests answered",
            ["method", "route", "status"],
            registry=own,
        )
        self.seconds = Histogram(
            "skillret_request_duration_seconds",
            "Time until a request was answered",
            ["route"],
            buckets=_SECONDS,
            registry=own,
        )
        self.empty = Counter(
            "skillret_no_match",
            "Searches without a hit, selections and decisions without a skill",
            ["route"],
            registry=own,
        )
        self.under_way = Gauge(
            "skillret_requests_in_progress",
            "Requests being answered",
            multiprocess_mode="livesum",
            registry=own,
        )
        self.refused = Counter(
            "skillret_requests_refused", "Requests beyond the limit (429)", registry=own
        )
        self.batches = Histogram(
            "skillret_batch_size",
            "Texts that were searched for or encoded together",
            buckets=_SIZES,
            registry=own,
        )
        self._registry = own
        self._state = _State(service)

    def text(self) -> bytes:
        """All metrics, in Prometheus' format; with several workers those of all of them."""
        registry = self._registry
        if SHARED in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        shown = CollectorRegistry()
        shown.register(self._state)
        return generate_latest(registry) + generate_latest(shown)


class _State(Collector):
    """What the libraries are like at the moment; of the callers' own nothing but their number."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        """Nothing, or else the libraries would be looked at before they are open."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        libraries = self._service.libraries
        yield InfoMetricFamily("skillret_app", "This program", {"version": __version__})
        yield _gauge("skillret_libraries", "Libraries", len(libraries.names()))
        yield _gauge("skillret_libraries_open", "Libraries open here", libraries.open_count)
        default = libraries.opened_default
        if default is None:
            return
        try:
            info = default.index.info()
        except SkillretError:
            return
        yield _gauge("skillret_index_skills", "Skills of the default library", info.skills)
        yield _gauge("skillret_index_generation", "Changes of the default library", info.generation)
        path = getattr(default.index.store, "path", None)
        if isinstance(path, Path) and path.exists():
            status = path.stat()
            age = max(time.time() - status.st_mtime, 0.0)
            yield _gauge("skillret_index_bytes", "Size of its file", status.st_size)
            yield _gauge("skillret_index_age_seconds", "Time since it was written", age)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)
