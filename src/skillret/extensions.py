"""What other packages add to skillret by entry points, so that nothing here need be edited.

A package offers an encoder, a store or a reranker in its `pyproject.toml`:

    [project.entry-points."skillret.encoders"]
    acme = "acme_embeddings.skillret:make_encoder"

Whoever names `acme`, or `acme:` and anything, gets what `make_encoder("acme:...", ...)` returns.
Packages are looked through only for a name that skillret itself does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skillret.errors import ExtensionError, SkillretError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ENCODERS", "RERANKERS", "STORES", "Extension", "extension_names", "find_extension"]

# Groups of entry points.
ENCODERS = "skillret.encoders"
STORES = "skillret.stores"
RERANKERS = "skillret.rerankers"


@dataclass(frozen=True, slots=True)
class Extension:
    """What a package offers under a name; nothing of the package is imported before it is used.

    Attributes:
        group: Group of entry points.
        name: The name it is offered under.
        package: Name and version of the package.
        value: Where it is, as `module:attribute`.
    """

    group: str
    name: str
    package: str
    value: str
    _load: Callable[[], Any] = field(repr=False, compare=False)

    def make(self, *arguments: Any, kind: type[Any] = object, **options: Any) -> Any:
        """What its factory returns.

        Args:
            arguments: For the factory.
            kind: What it must return an instance of, a runtime-checkable protocol as a rule.
            options: For the factory.

        Raises:
            ExtensionError: If the factory cannot be imported, fails, or returns something else. Its
                own errors, where they are a `SkillretError`, are passed on.
        """
        try:
            factory = self._load()
        except Exception as e:  # whatever the package raises when it is imported
            raise self._broken("cannot be loaded", e) from e
        try:
            made = factory(*arguments, **options)
        except SkillretError:
            raise
        except Exception as e:  # it is not our code
            raise self._broken("fails", e) from e
        if not isinstance(made, kind):
            raise ExtensionError(
                f"{self._place} returned a {type(made).__name__}, which is no {kind.__name__}:"
                " update the package, or uninstall it"
            )
        return made

    @property
    def _place(self) -> str:
        return f"{self.name!r} of the package {self.package} ({self.group}: {self.value})"

    def _broken(self, how: str, e: Exception) -> ExtensionError:
        reason = " ".join(str(e).split())[:200]
        return ExtensionError(
            f"{self._place} {how}: {type(e).__name__}: {reason}; update the package, or uninstall"
            " it"
        )


def find_extension(group: str, name: str) -> Extension | None:
    """What a package offers under a name, or under the part of it before the first colon.

    Args:
        group: `ENCODERS`, `STORES` or `RERANKERS`.
        name: As a user gave it.

    Returns:
        None if no installed package does.

    Raises:
        ExtensionError: If two packages do.
    """
    points = _points(group)
    for wanted in dict.fromkeys((name, name.partition(":")[0])):
        # Of a package that lies on the path twice, the first hides the second.
        offered = {_package(p)[0]: p for p in reversed(points) if p.name == wanted}
        if len(offered) > 1:
            raise ExtensionError(
                f"the packages {' and '.join(sorted(offered))} both offer {wanted!r} ({group});"
                " uninstall one of them"
            )
        for package, point in offered.items():
            version = _package(point)[1]
            return Extension(group, wanted, f"{package} {version}", point.value, point.load)
    return None


def extension_names(group: str) -> list[str]:
    """The names that installed packages offer, sorted."""
    return sorted({point.name for point in _points(group)})


def _points(group: str) -> list[EntryPoint]:
    from importlib.metadata import entry_points  # 10 ms, and what it reads takes more

    return list(entry_points(group=group))


def _package(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return point.value.partition(":")[0], "of unknown version"
    return point.dist.name, point.dist.version
