"""What each agent takes from a hook: one table, and how it is written for each."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple, TypeAlias

from skillret.agents.events import Event

__all__ = ["HOSTS", "LEAST", "Host", "printed"]

# `hook`: `hookSpecificOutput` and nothing beside it, since Codex refuses keys that it does not
# know. `text`: as it is. The others are an object with one key of that name.
Shape: TypeAlias = Literal["hook", "text", "additional_context", "additionalContext"]


class Host(NamedTuple):
    """What is known of one agent's hooks.

    Attributes:
        shape: How context is handed over.
        limit: UTF-8 bytes of it that the agent passes on for sure, with room for other hooks.
        prompt: What the agent calls the event of a prompt; empty if context is dropped there.
        start: The same for the beginning of a session, where it is used.
    """

    shape: Shape
    limit: int
    prompt: str
    start: str = ""


# Codex counts 2,500 tokens, about 10,000 bytes; Claude Code makes a file of 10,000 characters.
HOSTS: dict[str, Host] = {
    "claude-code": Host("hook", 5000, "UserPromptSubmit"),
    "codex": Host("hook", 5000, "UserPromptSubmit"),
    "gemini-cli": Host("hook", 5000, "BeforeAgent"),
    "cursor": Host("additional_context", 5000, "beforeSubmitPrompt", "sessionStart"),
    "kiro": Host("text", 5000, "userPromptSubmit"),
    "opencode": Host("additionalContext", 5000, "chat.message"),
    "copilot": Host("additionalContext", 5000, "", "sessionStart"),
}
LEAST = min(host.limit for host in HOSTS.values())  # for an agent of which nothing is known


def printed(host: Host, event: Event, context: str) -> bytes:
    """What a hook prints so that the agent's model is told; nothing for no context."""
    if not context:
        return b""
    context = context[: host.limit]
    if host.shape == "text":
        return (context + "\n").encode("utf-8", "replace")
    document: dict[str, Any] = {host.shape: context}
    # VS Code takes Claude Code's shape, and so do others that run its hooks: their events tell.
    if host.shape == "hook" or event.name in ("UserPromptSubmit", "SessionStart"):
        name = event.name or host.prompt or host.start
        document = {"hookSpecificOutput": {"hookEventName": name, "additionalContext": context}}
    # ASCII alone: a console's encoding does not matter, nor do control characters.
    return (json.dumps(document) + "\n").encode()
