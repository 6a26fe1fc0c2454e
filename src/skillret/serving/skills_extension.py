"""The extension `io.modelcontextprotocol/skills` of MCP: skills as resources, with digests.

A skill `pdf@1a2b3c4d` is served at `skill://1a2b3c4d/pdf/SKILL.md`, its other files beside it. Only
those are served that keep to the Agent Skills specification, as the extension asks.
Specification: https://github.com/modelcontextprotocol/ext-skills, `specification/stable`.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import quote, unquote

import yaml
from anyio import to_thread
from mcp.server.extension import Extension, MethodBinding
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CacheableResult, PaginatedRequestParams, RequestParams
from pydantic import BaseModel

from skillret.errors import InputError, SkillretError
from skillret.files import parse_json
from skillret.serving import skill_files
from skillret.skills.frontmatter import MAX_FRONT_MATTER
from skillret.types import Skill

if TYPE_CHECKING:
    from skillret.retrieval import Retriever

__all__ = ["SkillsExtension", "frontmatter_of", "skill_uri"]

_MOST_BYTES = 16 * 1024 * 1024  # of a skill, by the specification
_PAGE = 50  # skills
_PAGE_BYTES = 32 * 1024 * 1024  # that are read for one page
_FRONT = re.compile(rb"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
_P = ParamSpec("_P")
_T = TypeVar("_T")
_FRESH = 5_000  # ms for which a host may take an entry for the current one


class _GetParams(RequestParams):
    uri: str


class _Resource(BaseModel):
    uri: str
    digest: str
    size: int


class _Entry(BaseModel):
    uri: str
    frontmatter: dict[str, Any]
    resources: list[_Resource]


class _ListResult(CacheableResult):
    result_type: str = "complete"
    skills: list[_Entry]
    next_cursor: str | None = None


class _GetResult(CacheableResult):
    result_type: str = "complete"
    skill: _Entry


class SkillsExtension(Extension):
    """Lists skills, and reads their files.

    Args:
        retriever: Gives the retriever whose index says which skills there are; it may wait.
        tell: What is said of an error.
    """

    identifier = "io.modelcontextprotocol/skills"

    def __init__(
        self, retriever: Callable[[], Retriever], tell: Callable[[Exception], str] = str
    ) -> None:
        self._retriever, self._tell = retriever, tell

    def methods(self) -> Sequence[MethodBinding]:
        """`skills/list` and `skills/get`."""
        return (
            MethodBinding("skills/list", PaginatedRequestParams, self._list),
            MethodBinding("skills/get", _GetParams, self._get),
        )

    async def read(self, uri: str) -> ReadResourceContents:
        """The content of a skill's file.

        Raises:
            MCPError: If no such file is served.
        """
        return await self._answer(self._read, uri)

    async def _list(self, _: Any, params: PaginatedRequestParams | None) -> _ListResult:
        return await self._answer(self._page, params.cursor if params else None)

    async def _get(self, _: Any, params: _GetParams) -> _GetResult:
        return _GetResult(skill=await self._answer(self._one, params.uri), ttl_ms=_FRESH)

    async def _answer(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do it in a thread that need not be waited for when the client goes."""
        try:
            return await to_thread.run_sync(partial(work, *args, **kwargs), abandon_on_cancel=True)
        except SkillretError as e:
            raise MCPError(code=INVALID_PARAMS, message=self._tell(e)) from None

    def _page(self, cursor: str | None) -> _ListResult:
        store = self._retriever().index.store
        after = -1
        if cursor is not None:
            if not re.fullmatch(r"[0-9]{1,18}", cursor):
                raise InputError(f"no cursor of skills/list: {cursor[:40]!r}")
            after = int(cursor)
        keys = sorted(s.key for s in store.states().values() if s.key > after)
        entries: list[_Entry] = []
        seen = 0
        for count, key in enumerate(keys, start=1):
            for _, skill in store.skills([key]):
                try:
                    entries.append(_entry(skill))
                except SkillretError:
                    continue  # not for this extension; the tools have it
                seen += sum(resource.size for resource in entries[-1].resources)
            if (count >= _PAGE or seen >= _PAGE_BYTES) and count < len(keys):
                return _ListResult(skills=entries, next_cursor=str(key), ttl_ms=_FRESH)
        return _ListResult(skills=entries, ttl_ms=_FRESH)

    def _one(self, uri: str) -> _Entry:
        skill, file = self._find(uri)
        entry = _entry(skill)
        if file != "SKILL.md":
            raise InputError(f"no skill is served at {uri[:200]!r}")
        return entry

    def _read(self, uri: str) -> ReadResourceContents:
        skill, file = self._find(uri)
        data = _bytes(skill, file)
        kind = "text/markdown" if file.endswith(".md") else mimetypes.guess_type(file)[0]
        try:
            return ReadResourceContents(data.decode("utf-8"), kind or "text/plain")
        except UnicodeDecodeError:
            return ReadResourceContents(data, kind or "application/octet-stream")

    def _find(self, uri: str) -> tuple[Skill, str]:
        """The skill of a URI, and the file's name; the only spelling of a URI is our own."""
        unserved = InputError(f"no skill is served at {uri[:200]!r}")
        scheme, _, path = uri.partition("://")
        parts = path.split("/")
        plain = [unquote(part) for part in parts]
        if scheme != "skill" or len(parts) < 3 or [quote(p, safe="") for p in plain] != parts:
            raise unserved
        digest, name, *file = plain
        skill_files.check_name("/".join(file))
        skill = self._retriever().index.get(skill_files.check_id(f"{name}@{digest}"))
        if skill is None or skill_uri(skill, "/".join(file)) != uri:
            raise unserved
        return skill, "/".join(file)


def skill_uri(skill: Skill, file: str = "SKILL.md") -> str:
    """The URI of a skill's file.

    Raises:
        InputError: If the skill has none: a name that breaks the rules, or an id of another kind.
    """
    name, _, digest = skill.id.rpartition("@")
    if name != skill.name or not _NAME.fullmatch(name) or not re.fullmatch("[0-9a-f]+", digest):
        raise InputError(f"the skill {skill.name!r} has no URI")
    return f"skill://{digest}/{name}/" + "/".join(quote(p, safe="") for p in file.split("/"))


def frontmatter_of(data: bytes) -> dict[str, Any]:
    """The front matter of a SKILL.md, as a host reads it: YAML 1.2's plain types, as JSON.

    Raises:
        InputError: If there is none, or it is no JSON.
    """
    found = _FRONT.search(data)
    try:
        if found is None or len(found[1]) > MAX_FRONT_MATTER:
            raise ValueError("it has no front matter")
        text = found[1].decode("utf-8")
        if any(isinstance(e, yaml.AliasEvent) for e in yaml.parse(text, Loader=_CoreLoader)):
            raise ValueError("YAML aliases are not allowed in front matter")
        fields = yaml.load(text, Loader=_CoreLoader)  # noqa: S506 (a safe loader)
        if not isinstance(fields, dict) or not all(
            isinstance(fields.get(key), str) and fields[key] for key in ("name", "description")
        ):
            raise ValueError("it has no name or no description")
        plain: dict[str, Any] = parse_json(json.dumps(fields, allow_nan=False))
    except (ValueError, TypeError, OverflowError, RecursionError, yaml.YAMLError) as e:
        raise InputError(f"its front matter cannot be served: {e}") from None
    return plain


def _entry(skill: Skill) -> _Entry:
    """What is said of a skill.

    Raises:
        InputError: If it is not served: it breaks the rules, is too large, or gone.
    """
    uri = skill_uri(skill)
    folder = skill_files.folder_of(skill)
    if folder is None:
        raise InputError(f"the skill {skill.name!r} has no folder")
    fields = frontmatter_of(_bytes(skill, "SKILL.md"))
    if fields["name"] != skill.name:
        raise InputError(f"the skill {skill.name!r} has another name by now")
    files = list(islice(skill_files.names(folder), skill_files.MAX_FILES + 1))
    if len(files) > skill_files.MAX_FILES:
        raise InputError(f"the skill {skill.name!r} has more than {skill_files.MAX_FILES} files")
    resources, left = [], _MOST_BYTES
    for file in files:
        data = skill_files.read(folder, file, left + 1)
        left -= len(data)
        if left < 0:
            raise InputError(f"the skill {skill.name!r} is larger than 16 MiB")
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        resources.append(_Resource(uri=skill_uri(skill, file), digest=digest, size=len(data)))
    return _Entry(uri=uri, frontmatter=fields, resources=resources)


def _bytes(skill: Skill, file: str) -> bytes:
    folder = skill_files.folder_of(skill)
    if folder is None:
        raise InputError(f"the skill {skill.name!r} has no folder")
    data = skill_files.read(folder, file, _MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise InputError(f"{file!r} is larger than 16 MiB")
    return data


class _CoreLoader(yaml.SafeLoader):
    """YAML 1.2's core schema, which JavaScript and Go read: no dates, no `yes` for true."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 (as PyYAML has it)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"|~|null|Null|NULL", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first)
    )
