"""``GET /api/v1/openapi.json``: the API's description, made from its routes and the models of their operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.convertors import IntegerConvertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from telephony_agent import __version__
from telephony_agent.web.api import refusal
from telephony_agent.web.operations import OPERATIONS, Operation

PREFIX = "/api/v1"
_MODELS = "#/components/schemas/{model}"
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong, and what to do."}},
}


def route(described: Iterable[BaseRoute]) -> Route:
    """Return the route of the document, which describes some routes and itself."""

    async def openapi(request: Request) -> Response:
        """Describe the API."""
        return refusal(request) or JSONResponse(told)

    itself = Route(f"{PREFIX}/openapi.json", openapi, methods=["GET"])
    told = document([*described, itself])
    return itself


def document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes that are part of the API; websockets have no place in one.

    A route without an ``Operation`` is told by its docstring.
    """
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for each, method, operation in _operations(routes):
        paths.setdefault(each.path_format, {})[method.lower()] = _described(each, method, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "telephony_agent", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, **schemas.definitions},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "AGENT_API_TOKEN"}},
        },
        "security": [{"token": []}],
    }


def _operations(routes: Iterable[BaseRoute]) -> Iterator[tuple[Route, str, Operation]]:
    for each in routes:
        if not isinstance(each, Route) or not each.path.startswith(f"{PREFIX}/"):
            continue
        summary = (each.endpoint.__doc__ or each.name).partition("\n")[0].rstrip(".")
        for method in sorted((each.methods or set()) - {"HEAD"}):
            named = (method, each.path_format.removeprefix(PREFIX))
            yield each, method, OPERATIONS.get(named, Operation(summary))


class _Schemas:
    """The schemas of all bodies and answers; pydantic names them, so that no two are called the same."""

    def __init__(self) -> None:
        models: list[tuple[type[BaseModel], JsonSchemaMode]] = []
        for operation in OPERATIONS.values():
            if operation.body is not None and not isinstance(operation.body, str):
                models.append((operation.body, "validation"))
            if operation.answer is not None and not isinstance(operation.answer, str):
                models.append((operation.answer, "serialization"))
        self._references, told = models_json_schema(list(dict.fromkeys(models)), ref_template=_MODELS)
        self.definitions: dict[str, Any] = told["$defs"]

    def of_body(self, model: type[BaseModel]) -> dict[str, Any]:
        """Return what stands for a body's schema."""
        return self._references[model, "validation"]

    def of_answer(self, model: type[BaseModel]) -> dict[str, Any]:
        """Return what stands for an answer's schema."""
        return self._references[model, "serialization"]


def _described(each: Route, method: str, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": f"{method.lower()}_{each.name}",
        "summary": operation.summary,
        "parameters": [*_path_parameters(each), *_query_parameters(operation)],
        "responses": {
            str(operation.status): _success(operation, schemas),
            "default": {
                "description": "What is wrong, and what to do.",
                "content": _json({"$ref": _MODELS.format(model="Error")}),
            },
        },
    }
    if isinstance(operation.body, str):
        told["requestBody"] = {"required": True, "content": {operation.body: {"schema": {"type": "string"}}}}
    elif operation.body is not None:
        told["requestBody"] = {"required": True, "content": _json(schemas.of_body(operation.body))}
    return told


def _path_parameters(each: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if isinstance(convertor, IntegerConvertor) else "string"},
        }
        for name, convertor in each.param_convertors.items()
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema()
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _present(told)}
        for name, told in schema["properties"].items()
    ]


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that is given: a query has no null, it only leaves a name out."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def _success(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    if operation.status == 204:
        return {"description": "Done."}
    if isinstance(operation.answer, str):
        return {"description": "What was asked for.", "content": {operation.answer: {}}}
    schema = schemas.of_answer(operation.answer) if operation.answer is not None else {"type": "object"}
    return {"description": "What was asked for.", "content": _json(schema)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
