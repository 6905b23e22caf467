"""The OpenAPI document of the stand-alone mode [DM-151]: bodies as they are checked, answers as they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nxt_domain.messaging.model import CancelResult, CommandType, DeliveryStatus, ExecutionStatus, Phase
from nxt_domain.messaging.webhooks import EVENT_ID_HEADER, SIGNATURE_HEADER
from nxt_entrypoints.http.app import software_version
from nxt_entrypoints.http.schemas import JsonDict
from nxt_entrypoints.messaging.bodies import CANCEL, CANCEL_MANY, CORRELATION_ID, DEVICE, ENQUEUE, TOKEN

TITLE = "NXT Device Messaging"
DOCUMENT_PATH = "/v3/api-docs"
PAGE_PATH = "/swagger"

_TEXT: JsonDict = {"type": "string"}
_OBJECT: JsonDict = {"type": "object"}
_ABOUT = (
    "Commands for electricity meters: a durable queue, delivery by plug-ins, and signed events to the adopter. "
    "Bodies are JSON of at most 1 MiB; keys that are not described are refused."
)
_CALLER_ERRORS = {
    400: "Malformed JSON, a body that is not as described, or a refusal.",
    401: "The bearer key is missing or wrong.",
    413: "The body is longer than 1 MiB.",
    415: "The content type is not `application/json`.",
}
_SERVER_ERRORS = {500: "Something unexpected.", 503: "The database can't be reached within 5 s."}


def messaging_document() -> JsonDict:
    """Return the document of the running service, plain values."""
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": software_version(), "description": _ABOUT},
        "tags": [{"name": "command"}, {"name": "ingress"}, {"name": "ops"}],
        "paths": {**_commands(), **_ingress(), **_operations()},
        "webhooks": {"deliveryEvent": {"post": _event_post()}},
        "components": {
            "securitySchemes": {"serviceKey": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _schemas() -> Mapping[str, JsonDict]:
    return {
        "EnqueueRequest": ENQUEUE.schema(),
        "CancelRequest": CANCEL.schema(),
        "CancelManyRequest": CANCEL_MANY.schema(),
        "TokenRequest": TOKEN.schema(),
        "Message": _message(),
        "CancelResult": _answer({"correlationId": _TEXT, "result": _words(CancelResult)}),
        "Token": _answer({"token": _TEXT}),
        "FailureRecord": _failure_record(),
        "WebhookEvent": _webhook_event(),
        "Error": _error_schema(),
    }


def _message() -> JsonDict:
    asked = ENQUEUE.schema()
    own: dict[str, JsonDict] = {
        "id": {"type": "string", "minLength": 26, "maxLength": 26, "description": "A ULID."},
        "deliveryQueueId": {"type": "string", "description": "Id at the network server or vendor; empty: none yet."},
        "deliveryStatus": _words(DeliveryStatus),
        "retryCount": {"type": "integer", "minimum": 0},
        "failureHistory": {"type": "array", "items": _ref("FailureRecord"), "description": "Newest first."},
    }
    return {
        "type": "object",
        "properties": {**asked["properties"], **own},
        "required": [*asked["required"], *own],
    }


def _failure_record() -> JsonDict:
    return {
        "type": "object",
        "properties": {
            "timestamp": {"type": "string", "format": "date-time"},
            "status": _words(DeliveryStatus),
            "reason": _TEXT,
            "errorCode": {"anyOf": [{"type": "integer"}, _TEXT]},
            "details": _TEXT,
            "isFinal": {"type": "boolean"},
        },
        "required": ["timestamp", "status", "reason", "isFinal"],
    }


def _webhook_event() -> JsonDict:
    response = {
        "type": "object",
        "properties": {"status": _words(ExecutionStatus), "data": _OBJECT},
        "required": ["status"],
    }
    message = {
        "type": "object",
        "properties": {
            "deliveryStatus": _words(DeliveryStatus),
            "device": DEVICE.schema(),
            "id": _TEXT,
            "correlationId": _TEXT,
            "commandType": _words(CommandType),
            "phase": _words(Phase),
            "response": response,
            "failureHistory": {"type": "array", "items": _ref("FailureRecord")},
            "unsolicited": {"type": "boolean"},
        },
        "required": ["deliveryStatus", "device"],
    }
    return {
        "type": "object",
        "properties": {
            "eventId": {"type": "string", "description": "A ULID; the same on every attempt."},
            "occurredAt": {"type": "string", "format": "date-time"},
            "pluginId": _TEXT,
            "message": message,
        },
        "required": ["eventId", "occurredAt", "pluginId", "message"],
    }


def _error_schema() -> JsonDict:
    issue = {"type": "object", "properties": {"path": _TEXT, "message": _TEXT}, "required": ["path", "message"]}
    return {
        "type": "object",
        "properties": {
            "error": _TEXT,
            "issues": {"type": "array", "items": issue, "description": "Where the schema is violated, if it is."},
        },
        "required": ["error"],
        "additionalProperties": False,
    }


def _commands() -> Mapping[str, JsonDict]:
    list_of_results: JsonDict = {"type": "array", "items": _ref("CancelResult")}
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "description": "Names this request for 7 days: sent again, it is the same message and no second command.",
    }
    return {
        "/message/enqueue": {
            "post": _command(
                "enqueue", "Enqueue a command for a meter", "EnqueueRequest", (201, _ref("Message")), [key]
            )
        },
        "/message/{correlationId}": {"get": _look_up()},
        "/message/cancel": {
            "post": _command("cancel", "Take a command back", "CancelRequest", (200, _ref("CancelResult")))
        },
        "/messages/cancel": {
            "post": _command("cancelMany", "Take several commands back", "CancelManyRequest", (200, list_of_results))
        },
        "/token/generate": {"post": _generate()},
    }


def _command(
    name: str, summary: str, body: str, success: tuple[int, JsonDict], parameters: Sequence[JsonDict] = ()
) -> JsonDict:
    status, schema = success
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["command"],
        "security": [{"serviceKey": []}],
        **({"parameters": list(parameters)} if parameters else {}),
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(body)}}},
        "responses": {str(status): _json("Done.", schema), **_errors({**_CALLER_ERRORS, **_SERVER_ERRORS})},
    }


def _look_up() -> JsonDict:
    errors = {400: "A malformed correlation id.", 401: _CALLER_ERRORS[401], 404: "There is no such live message."}
    return {
        "operationId": "lookUp",
        "summary": "Look a live message up",
        "description": "A message is gone once it has ended or was taken back.",
        "tags": ["command"],
        "security": [{"serviceKey": []}],
        "parameters": [_in_path("correlationId", CORRELATION_ID.schema())],
        "responses": {"200": _json("Done.", _ref("Message")), **_errors({**errors, **_SERVER_ERRORS})},
    }


def _generate() -> JsonDict:
    operation = _command("generateToken", "Have a token made", "TokenRequest", (200, _ref("Token")))
    vendor = {502: "The vendor made none; the text is the plug-in's.", 504: "The vendor did not answer in time."}
    return {**operation, "responses": {**operation["responses"], **_errors(vendor)}}


def _ingress() -> Mapping[str, JsonDict]:
    errors = {
        400: "The plug-in is not enabled or takes no posts, or the body is no JSON.",
        401: "The post is not the vendor's.",
        413: _CALLER_ERRORS[413],
    }
    operation: JsonDict = {
        "operationId": "takePost",
        "summary": "Take a post of a vendor",
        "description": "What the plug-in has no use for is ignored, with the same answer.",
        "tags": ["ingress"],
        "security": [],
        "parameters": [
            _in_path("pluginId", {"type": "string", "minLength": 1}),
            {"name": "event", "in": "query", "required": False, "schema": _TEXT, "description": "ChirpStack's kind."},
        ],
        "requestBody": {"content": {"application/json": {"schema": {}}}},
        "responses": {"204": {"description": "Taken, or ignored."}, **_errors({**errors, **_SERVER_ERRORS})},
    }
    return {"/ingress/{pluginId}": {"post": operation}}


def _operations() -> Mapping[str, JsonDict]:
    ready: JsonDict = {
        "type": "object",
        "properties": {
            "ok": {"type": "boolean"},
            "failing": {"type": "array", "items": _TEXT},
            "warnings": {"type": "array", "items": _TEXT},
        },
        "required": ["ok"],
    }
    alive = _json("It runs.", {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]})
    return {
        "/healthz": {"get": _operation("healthz", "Is the process alive?", {"200": alive})},
        "/readyz": {
            "get": _operation(
                "readyz",
                "Can it do its work?",
                {"200": _json("It can.", ready), "503": _json("Something it needs is away.", ready)},
            )
        },
    }


def _operation(name: str, summary: str, responses: Mapping[str, JsonDict]) -> JsonDict:
    return {"operationId": name, "summary": summary, "tags": ["ops"], "security": [], "responses": dict(responses)}


def _event_post() -> JsonDict:
    headers = [
        (EVENT_ID_HEADER, "As `eventId`: the idempotency key."),
        (SIGNATURE_HEADER, "`sha256=` and the HMAC-SHA256 of the exact body bytes in hex, when a secret is set."),
    ]
    return {
        "operationId": "deliveryEvent",
        "summary": "What the adopter is told: a command's first hand-over, its end, and what meters say unasked",
        "description": "At least once, in order for each message. Store it, answer 2xx quickly, know it by `eventId`.",
        "parameters": [
            {"name": name, "in": "header", "required": name == EVENT_ID_HEADER, "schema": _TEXT, "description": text}
            for name, text in headers
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("WebhookEvent")}}},
        "responses": {
            "2XX": {"description": "Taken; it is not sent again."},
            "default": {"description": "After 408, 429 and 5xx it is sent again; any other status gives it up."},
        },
    }


def _in_path(name: str, schema: JsonDict) -> JsonDict:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _answer(properties: Mapping[str, JsonDict]) -> JsonDict:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _words(kind: type[CancelResult | DeliveryStatus | ExecutionStatus | CommandType | Phase]) -> JsonDict:
    return {"type": "string", "enum": [member.value for member in kind]}


def _errors(texts: Mapping[int, str]) -> dict[str, JsonDict]:
    return {str(status): _json(text, _ref("Error")) for status, text in sorted(texts.items())}


def _json(text: str, schema: JsonDict) -> JsonDict:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> JsonDict:
    return {"$ref": f"#/components/schemas/{name}"}
