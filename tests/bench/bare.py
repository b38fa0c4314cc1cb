"""The bare chain: Balcão's hops written by hand with FastAPI, asyncpg and aiokafka and nothing else.

It verifies and stores a webhook's item once, publishes it, gives it a contact, a conversation and a number, publishes
that, and counts it in two listeners: in batches, with outboxes and inboxes, and without tenants, personal data, types,
retries, dead letters or telemetry. A passage stands beside it that hands on what it is asked, whoever asks. What they
reach is the limit that Balcão's figures stand beside.

`python -m tests.bench.bare ingest|conversation|metrics|routing|passage` runs one link, told by the environment where.
"""

import asyncio
import hmac
import os
import sys
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import aiohttp
import asyncpg
import orjson
import uvicorn
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fastapi import FastAPI, Request, Response
from uuid_utils.compat import uuid7

PARTITIONS: Final = 16
TOPICS: Final = ("bare.ingest", "bare.conversation")
LINKS: Final = ("ingest", "conversation", "metrics", "routing")
PASSAGE: Final = "passage"

SCHEMA: Final = """
CREATE TABLE raw_events (id uuid PRIMARY KEY, dedup_key text UNIQUE, body bytea, received_at timestamptz);
CREATE TABLE contacts (id uuid PRIMARY KEY, address text UNIQUE);
CREATE TABLE conversations (id uuid PRIMARY KEY, contact_id uuid UNIQUE, last_seq int, last_message_at timestamptz);
CREATE TABLE messages (id uuid PRIMARY KEY, conversation_id uuid, seq int, text text, provider_message_id text UNIQUE,
  sent_at timestamptz, UNIQUE (conversation_id, seq));
CREATE TABLE facts (event_id uuid PRIMARY KEY, message_id uuid, conversation_id uuid, happened_at timestamptz,
  heard_at timestamptz);
CREATE TABLE cases (conversation_id uuid PRIMARY KEY, waiting_since timestamptz);
CREATE TABLE ingest_outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, value bytea);
CREATE TABLE conversation_outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, value bytea);
CREATE TABLE conversation_inbox (event_id uuid PRIMARY KEY);
CREATE TABLE metrics_inbox (event_id uuid PRIMARY KEY);
CREATE TABLE routing_inbox (event_id uuid PRIMARY KEY);
"""

_SAID: Final = asyncio.Event()
"""Set by a commit that left something to publish."""

Event = dict[str, Any]
Connection = Any
"""asyncpg's connection, pooled or not."""


# Webhooks.


def application(secret: bytes, pool: asyncpg.Pool) -> FastAPI:
    """The webhook: 200 once what was posted is durable; what waits is committed together."""
    waiting: list[tuple[bytes, asyncio.Future[None]]] = []
    writer: asyncio.Task[None] | None = None

    async def write() -> None:
        nonlocal writer, waiting
        while waiting:
            group, waiting = waiting[:200], waiting[200:]
            await store_webhooks([body for body, _ in group], pool)
            for _, durable in group:
                durable.set_result(None)
        writer = None

    app = FastAPI(openapi_url=None)

    @app.post("/webhooks/{kind}/{channel_id}")
    async def receive(kind: str, channel_id: str, request: Request) -> Response:
        nonlocal writer
        body = await request.body()
        expected = "sha256=" + hmac.digest(secret, body, "sha256").hex()
        if not hmac.compare_digest(request.headers["x-hub-signature-256"], expected):
            return Response(status_code=401)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append((body, durable))
        writer = writer or asyncio.create_task(write())
        await durable
        return Response()

    return app


async def store_webhooks(bodies: Sequence[bytes], pool: asyncpg.Pool) -> None:
    rows = []
    for body in bodies:
        value = orjson.loads(body)["entry"][0]["changes"][0]["value"]
        rows += [(uuid7(), message["id"], orjson.dumps(message), message) for message in value["messages"]]
    async with pool.acquire() as connection, connection.transaction():
        new = await connection.fetch(
            "INSERT INTO raw_events SELECT *, now() FROM unnest($1::uuid[], $2::text[], $3::bytea[])"
            " AS row(id, key, body) ORDER BY key ON CONFLICT (dedup_key) DO NOTHING RETURNING id",
            *([row[column] for row in rows] for column in range(3)),
        )
        ids = {row["id"] for row in new}
        events = [
            {
                "id": uuid7(),
                "key": message["from"],
                "provider_message_id": message["id"],
                "text": message["text"]["body"],
                "sent_at": datetime.fromtimestamp(int(message["timestamp"]), UTC),
            }
            for id_, _, _, message in rows
            if id_ in ids
        ]
        await say("ingest", events, connection)
    _SAID.set()


# Reads.


def passage(to: str, session: aiohttp.ClientSession) -> FastAPI:
    """What another service answers to the same question."""
    app = FastAPI(openapi_url=None)

    @app.get("/{path:path}")
    async def read(path: str, request: Request) -> Response:
        headers = {"authorization": request.headers["authorization"]}
        async with session.get(f"{to}/{path}", headers=headers) as answer:
            return Response(await answer.read(), answer.status, media_type=answer.content_type)

    return app


# The history.


async def append_messages(events: Sequence[Event], connection: Connection) -> None:
    contacts = await _contacts(list(dict.fromkeys(event["key"] for event in events)), connection)
    found = await connection.fetch(
        "SELECT contact_id, id, last_seq FROM conversations WHERE contact_id = ANY($1) ORDER BY id FOR UPDATE",
        list(contacts.values()),
    )
    threads = {row["contact_id"]: [row["id"], row["last_seq"]] for row in found}
    messages = []
    for event in events:
        thread = threads.setdefault(contacts[event["key"]], [uuid7(), 0])
        thread[1] += 1
        messages.append(
            (uuid7(), thread[0], thread[1], event["text"], event["provider_message_id"], _moment(event["sent_at"]))
        )
    await connection.execute(
        "INSERT INTO conversations SELECT *, now() FROM unnest($1::uuid[], $2::uuid[], $3::int[])"
        " ON CONFLICT (contact_id) DO UPDATE SET last_seq = excluded.last_seq, last_message_at = now()",
        [thread[0] for thread in threads.values()],
        list(threads),
        [thread[1] for thread in threads.values()],
    )
    await connection.execute(
        "INSERT INTO messages SELECT * FROM unnest("
        "$1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[])",
        *(list(column) for column in zip(*messages, strict=True)),
    )
    added = [
        {"id": uuid7(), "key": str(row[1]), "message_id": row[0], "seq": row[2], "text": row[3], "sent_at": row[5]}
        for row in messages
    ]
    await say("conversation", added, connection)


async def _contacts(addresses: list[str], connection: Connection) -> dict[str, UUID]:
    query = "SELECT address, id FROM contacts WHERE address = ANY($1)"
    known = {row["address"]: row["id"] for row in await connection.fetch(query, addresses)}
    if new := {address: uuid7() for address in addresses if address not in known}:
        await connection.execute(
            "INSERT INTO contacts SELECT * FROM unnest($1::uuid[], $2::text[])", list(new.values()), list(new)
        )
    return known | new


# Those who listen.


async def count_messages(events: Sequence[Event], connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO facts"
        " SELECT *, clock_timestamp() FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])",
        [event["id"] for event in events],
        [event["message_id"] for event in events],
        [event["key"] for event in events],
        [_moment(event["sent_at"]) for event in events],
    )


async def note_waiting(events: Sequence[Event], connection: Connection) -> None:
    since = {event["key"]: _moment(event["sent_at"]) for event in reversed(events)}
    await connection.execute(
        "INSERT INTO cases SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) AS row(id, since) ORDER BY id"
        " ON CONFLICT (conversation_id) DO NOTHING",
        list(since),
        list(since.values()),
    )


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


# Events on their way.


async def say(link: str, events: Sequence[Event], connection: Connection) -> None:
    await connection.execute(
        f"INSERT INTO {link}_outbox (key, value) SELECT * FROM unnest($1::text[], $2::bytea[])",
        [event["key"] for event in events],
        [orjson.dumps(event) for event in events],
    )


async def relay(link: str, pool: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
    """Publish one link's outbox, in order for each key."""
    take = (
        f"DELETE FROM {link}_outbox WHERE id IN (SELECT id FROM {link}_outbox ORDER BY id LIMIT 500)"
        " RETURNING id, key, value"
    )
    while True:
        _SAID.clear()
        async with pool.acquire() as connection, connection.transaction():
            partitions: defaultdict[int, Any] = defaultdict(producer.create_batch)
            for row in sorted(await connection.fetch(take), key=itemgetter("id")):
                key = row["key"].encode()
                batch = partitions[zlib.crc32(key) % PARTITIONS]
                batch.append(timestamp=None, key=key, value=row["value"])
            sent = [await producer.send_batch(batch, f"bare.{link}", partition=p) for p, batch in partitions.items()]
            await asyncio.gather(*sent)
        if not sent:
            await _SAID.wait()


async def listen(
    link: str, topic: str, handle: Callable[[Sequence[Event], Connection], Awaitable[None]], pool: asyncpg.Pool
) -> None:
    """Give a link what it hears, each event once."""
    claim = (
        f"INSERT INTO {link}_inbox SELECT id FROM unnest($1::uuid[]) AS id ORDER BY id"
        " ON CONFLICT DO NOTHING RETURNING event_id"
    )
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=os.environ["BARE_BROKER"],
        group_id=f"bare.{link}",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=int(os.environ["BARE_FETCH_MS"]),
        auto_commit_interval_ms=1000,
    )
    await consumer.start()
    while True:
        polled = await consumer.getmany(timeout_ms=500, max_records=500)
        events = {
            event["id"]: event for run in polled.values() for record in run if (event := orjson.loads(record.value))
        }
        if events:
            async with pool.acquire() as connection, connection.transaction():
                claimed = {str(row["event_id"]) for row in await connection.fetch(claim, list(events))}
                await handle([event for id_, event in events.items() if id_ in claimed], connection)
            _SAID.set()


# Processes.


async def link(name: str) -> None:
    async with _pool() as pool, asyncio.TaskGroup() as group:
        match name:
            case "ingest":
                group.create_task(relay(name, pool, await _producer()))
                await _serve(application(os.environ["BARE_SECRET"].encode(), pool))
            case "conversation":
                group.create_task(relay(name, pool, await _producer()))
                await listen(name, "bare.ingest", append_messages, pool)
            case "metrics":
                await listen(name, "bare.conversation", count_messages, pool)
            case "routing":
                await listen(name, "bare.conversation", note_waiting, pool)


async def pass_on() -> None:
    async with aiohttp.ClientSession() as session:
        await _serve(passage(os.environ["BARE_PASSES_ON_TO"], session))


async def _serve(app: FastAPI) -> None:
    port = int(os.environ["BARE_PORT"])
    config = uvicorn.Config(app, port=port, http="httptools", log_level="warning", access_log=False)
    await uvicorn.Server(config).serve()


@asynccontextmanager
async def _pool() -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(os.environ["BARE_DATABASE"], min_size=2, max_size=4) as pool:
        yield pool


async def _producer() -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["BARE_BROKER"], acks="all", max_batch_size=1 << 19, max_request_size=1 << 23
    )
    await producer.start()
    return producer


if __name__ == "__main__":
    uvloop.run(pass_on() if sys.argv[1] == PASSAGE else link(sys.argv[1]))
