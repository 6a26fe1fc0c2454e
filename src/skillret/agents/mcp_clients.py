"""How MCP clients are told of a server: what goes into which file, or the client's own command."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillret.errors import InputError
from skillret.files import expand
from skillret.skills.agents import AGENTS

__all__ = ["CLIENTS", "NAME", "Client", "find_client"]

NAME = "skillret"


@dataclass(frozen=True, slots=True)
class Client:
    """One client.

    Attributes:
        name: As it is given on the command line.
        title: As its makers write it.
        file: Where its servers are kept, for a user.
        project_file: The same of a project, if there is such a file.
        key: What holds the servers in that file.
        local: What an entry of a local program has beside it.
        remote: What an entry of a URL has beside it.
        url: What holds the URL.
        program: The client's own program, where that owns the file.
    """

    name: str
    title: str
    file: str
    project_file: str | None = None
    key: str = "mcpServers"
    local: Mapping[str, Any] | None = None
    remote: Mapping[str, Any] | None = None
    url: str = "url"
    program: str | None = None

    def fields(self, command: Sequence[str], url: str | None = None) -> dict[str, Any]:
        """What stands under the server's name in the file.

        Args:
            command: Program and arguments.
            url: Of a server that runs already, instead.
        """
        if url is not None:
            return {**(self.remote or {}), self.url: url}
        if self.name == "opencode":
            return {**(self.local or {}), "command": list(command)}
        return {**(self.local or {}), "command": command[0], "args": list(command[1:])}

    def entry(self, command: Sequence[str], url: str | None = None) -> str:
        """What goes into the file, as a whole one; see `fields`."""
        fields = self.fields(command, url)
        if self.file.endswith(".toml"):
            # JSON strings are TOML strings too, but for DEL and characters beyond 16 bits escaped.
            lines = [
                f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()
            ]
            return f"[{self.key}.{NAME}]\n" + "\n".join(lines) + "\n"
        return json.dumps({self.key: {NAME: fields}}, indent=2, ensure_ascii=False) + "\n"

    def add_command(
        self, command: Sequence[str], url: str | None = None, *, scope: str = "user"
    ) -> list[str] | None:
        """The client's own command that adds the server; None if it has none.

        Raises:
            InputError: If the client knows no such scope.
        """
        if self.program is None:
            return None
        start = [self.program, "mcp", "add"]
        if self.name == "claude-code":
            start += ["--scope", scope]
            if url is not None:
                return [*start, "--transport", "http", NAME, url]
        elif scope != "user":
            raise InputError(f"{self.title} adds servers for its user alone: leave out --scope")
        elif url is not None:
            return [*start, NAME, "--url", url]
        return [*start, NAME, "--", *command]

    def remove_command(self, *, scope: str = "user") -> list[str] | None:
        """The client's own command that takes the server out again; None if it has none."""
        if self.program is None:
            return None
        where = ["--scope", scope] if self.name == "claude-code" else []
        return [self.program, "mcp", "remove", *where, NAME]

    def place(self, home: Path, project: Path | None = None) -> Path | None:
        """The file where it keeps its servers; None if that is not known.

        Args:
            home: The home directory.
            project: Of this project, instead of its user's own.
        """
        if project is not None:
            return None if self.project_file is None else _present(project / self.project_file)
        if not self.file.startswith("~/"):
            return None
        file = home / self.file[2:]
        known = next((agent for agent in AGENTS if agent.name == self.name), None)
        for variable, folder in known.moved_by if known else ():
            moved = os.environ.get(variable, "").strip()
            if moved and "\0" not in moved and file.is_relative_to(home / folder):
                file = expand(moved).absolute() / file.relative_to(home / folder)
        return _present(file)


def _present(file: Path) -> Path:
    """The same with comments, if that is there and the other is not."""
    commented = file.with_suffix(".jsonc")
    return commented if commented.exists() and not file.exists() else file


CLIENTS = (
    Client(
        "claude-code",
        "Claude Code",
        "~/.claude.json",
        ".mcp.json",
        remote={"type": "http"},
        program="claude",
    ),
    Client("codex", "Codex", "~/.codex/config.toml", key="mcp_servers", program="codex"),
    Client("cursor", "Cursor", "~/.cursor/mcp.json", ".cursor/mcp.json"),
    Client(
        "vscode",
        "VS Code",
        "mcp.json of your profile (command `MCP: Open User Configuration`)",
        ".vscode/mcp.json",
        key="servers",
        local={"type": "stdio"},
        remote={"type": "http"},
    ),
    Client(
        "gemini-cli",
        "Gemini CLI",
        "~/.gemini/settings.json",
        ".gemini/settings.json",
        url="httpUrl",
    ),
    Client(
        "copilot",
        "GitHub Copilot CLI",
        "~/.copilot/mcp-config.json",
        local={"type": "local", "tools": ["*"]},
        remote={"type": "http", "tools": ["*"]},
    ),
    Client(
        "opencode",
        "OpenCode",
        "~/.config/opencode/opencode.json",
        "opencode.json",
        key="mcp",
        local={"type": "local", "enabled": True},
        remote={"type": "remote", "enabled": True},
    ),
    Client(
        "cline",
        "Cline",
        "~/.cline/data/settings/cline_mcp_settings.json",
        remote={"type": "streamableHttp"},
    ),
    Client("windsurf", "Windsurf", "~/.codeium/windsurf/mcp_config.json", url="serverUrl"),
)
_ALIASES = {"claude": "claude-code", "gemini": "gemini-cli", "code": "vscode"}


def find_client(name: str) -> Client:
    """The client of a name.

    Raises:
        InputError: If it is unknown.
    """
    wanted = _ALIASES.get(name.lower(), name.lower())
    for client in CLIENTS:
        if client.name == wanted:
            return client
    known = ", ".join(client.name for client in CLIENTS)
    raise InputError(f"unknown client {name[:80]!r}: choose {known}")
