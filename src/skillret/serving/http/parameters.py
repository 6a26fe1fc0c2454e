"""Parameters of the query string: a misspelt one would be lost in silence."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

__all__ = ["body_fields", "check_parameters"]


def check_parameters(request: Request, route: APIRoute) -> None:
    """Refuse parameters that a route does not know.

    Raises:
        RequestValidationError: If there is one.
    """
    if not request.scope["query_string"]:
        return
    known = [str(field.alias) for field in route.dependant.query_params]
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        fields = body_fields(route)
        raise RequestValidationError([_error(name, known, fields) for name in unknown])


def body_fields(route: Any) -> list[str]:
    """The fields of what a route's body is read into."""
    body = route.body_field if isinstance(route, APIRoute) else None
    model = getattr(getattr(body, "field_info", None), "annotation", None)
    return list(getattr(model, "model_fields", ()))


def _error(name: str, known: list[str], fields: list[str]) -> dict[str, Any]:
    there = f"there are {', '.join(known)}" if known else "there are none here"
    remedy = "send it in the body" if name in fields else there
    return {
        "type": "unknown_parameter",
        "loc": ("query", name),
        "msg": f"no such parameter; {remedy}",
    }
