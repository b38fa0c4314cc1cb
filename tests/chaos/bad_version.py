"""Conversation as a bad deployment would have it: what customers write is met by a handler that always raises."""

from collections.abc import Sequence
from dataclasses import replace

from services.conversation.app import service
from shared.db import UnitOfWork
from shared.events.ingest import MessageReceived


async def lose_messages(messages: Sequence[MessageReceived], uow: UnitOfWork) -> None:
    raise LookupError("this version looks for what is not there")


app = replace(service, hears={**service.hears, MessageReceived: [lose_messages]}).asgi
