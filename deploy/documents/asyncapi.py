"""The events in one AsyncAPI document: which travel where, what they carry, who says and who hears them."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from deploy.documents.records import shown
from deploy.documents.schemas import JSON, merge, without_null, without_titles
from deploy.processes import REPOSITORY
from shared.events import EVENTS, TOPICS, Event, Record, Topic
from shared.personal import personal_fields
from shared.service import Service

_DESCRIPTION: Final = """\
Services meet only through these events. Each speaker has one topic. Records are CloudEvents 1.0 in binary mode: the
envelope is in the headers, the value is a JSON object of `data` and, where the event has personal fields, `personal`.

Order is promised for each key of one speaker. A record may come twice: `ce_id` tells. Listeners accept fields and
enumeration values that they do not know; a change that they could not accept is a new major version of the type.
"""

_UUID: Final = {"type": "string", "format": "uuid"}
_HEADERS: Final[JSON] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {**_UUID, "description": "UUIDv7; the same however often the record comes."},
    "ce_type": {"type": "string"},
    "ce_source": {"type": "string", "description": "The speaker."},
    "ce_time": {"type": "string", "format": "date-time"},
    "ce_tenantid": _UUID,
    "ce_partitionkey": {"type": "string", "description": "The key of the record."},
    "content-type": {"type": "string", "const": "application/json"},
    "ce_causedby": {**_UUID, "description": "The event that was heard when this one was said."},
    "ce_traceparent": {"type": "string", "description": "W3C Trace Context."},
    "ce_datakey": {"type": "string", "description": "The key that seals `personal`; `none` while it is not sealed."},
    "ce_datasubject": {"type": "string", "description": "The person whom the event is about."},
}
_NOT_ALWAYS: Final = {"ce_causedby", "ce_traceparent"}


def asyncapi(cards: Sequence[Service[Any]], records: Mapping[str, Record]) -> JSON:
    """The document; `records` holds an example of each event type."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    schemas: JSON = {}
    messages = {type_: _message(EVENTS[type_], records[type_], schemas) for type_ in sorted(EVENTS)}
    operations: JSON = {}
    for card in cards:
        operations |= _operations(card)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Balcão's events",
            "version": project["version"],
            "description": _DESCRIPTION,
            "license": {"name": project["license"]},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def _channel(topic: Topic) -> JSON:
    configuration: JSON = {"cleanup.policy": ["compact"]}
    if not topic.compacted:
        configuration = {"cleanup.policy": ["delete"], "retention.ms": topic.retention * 1000}
    said = sorted(type_ for type_, event in EVENTS.items() if event.topic() == topic.name)
    return {
        "address": topic.name,
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in said},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": configuration,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations(card: Service[Any]) -> JSON:
    operations: JSON = {}
    if card.says:
        operations[f"{card.name}-says"] = _operation("send", f"{card.name} says", card.says)
    for speaker, events in _by_speaker(card.hears):
        group = {"groupId": {"type": "string", "const": f"balcao.{card.name}"}, "bindingVersion": "0.5.0"}
        operation = _operation("receive", f"{card.name} hears {speaker}", events)
        operations[f"{card.name}-hears-{speaker}"] = {**operation, "bindings": {"kafka": group}}
    for speaker, events in _by_speaker(card.shows):
        operations[f"{card.name}-shows-{speaker}"] = _operation("receive", f"{card.name} shows {speaker}", events)
    return operations


def _by_speaker(events: Iterable[type[Event]]) -> Sequence[tuple[str, list[type[Event]]]]:
    heard: dict[str, list[type[Event]]] = defaultdict(list)
    for event in events:
        heard[event.topic().partition(".")[0]].append(event)
    return sorted(heard.items())


def _operation(action: str, title: str, events: Sequence[type[Event]]) -> JSON:
    channel = f"#/channels/{events[0].topic()}"
    types = sorted(event.type for event in events)
    return {
        "action": action,
        "title": title,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{type_}"} for type_ in types],
    }


def _message(event: type[Event], record: Record, schemas: JSON) -> JSON:
    example = shown(record)
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": (event.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "headers": _headers(event, record),
        "payload": _payload(event, schemas),
        "bindings": {"kafka": {"key": {"type": "string", "description": event.keyed_by}, "bindingVersion": "0.5.0"}},
        "examples": [{"headers": example["headers"], "payload": example["value"]}],
    }


def _headers(event: type[Event], record: Record) -> JSON:
    names = list(record.headers | dict.fromkeys(sorted(_NOT_ALWAYS)))
    fixed = {name: {"type": "string", "const": record.headers[name]} for name in ("ce_type", "ce_source")}
    if event.about is not None:
        fixed["ce_datasubject"] = {**_HEADERS["ce_datasubject"], "description": f"The event's {event.about}."}
    return {
        "type": "object",
        "properties": {name: fixed.get(name, _HEADERS[name]) for name in names},
        "required": [name for name in names if name not in _NOT_ALWAYS],
    }


def _payload(event: type[Event], schemas: JSON) -> JSON:
    schema = without_titles(event.model_json_schema(ref_template="#/components/schemas/{model}"))
    merge(schemas, schema.get("$defs", {}))
    personal = personal_fields(event)
    parts = {"data": _part(schema, [name for name in schema["properties"] if name not in personal])}
    if personal:
        parts["personal"] = _part(schema, list(personal))
    return {"type": "object", "properties": parts, "required": list(parts)}


def _part(schema: JSON, names: Sequence[str]) -> JSON:
    """Some of the fields; what is null is left out on the wire."""
    part: JSON = {"type": "object", "properties": {name: without_null(schema["properties"][name]) for name in names}}
    required = [name for name in schema.get("required", []) if name in names]
    return part | ({"required": required} if required else {})
