"""The simulator's endpoints: Meta's, and those by which tests and people lead it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Final

import httpx
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import JSONResponse, Response

from deploy.simulator.behaviour import Answers, Behaviour
from deploy.simulator.ledger import Counts, CustomerMessage, Ledger, Listed, Sent, StatusTold
from deploy.simulator.provider import MOST_MESSAGES, Provider, Written
from deploy.simulator.webhooks import METAS_PATIENCE, Account, Patience, Webhooks
from deploy.simulator.whatsapp import Refusal, accepted
from gateway.docs_page import docs_page
from shared.http import Body, NotFound, RequestEdge, Unavailable, outgoing_client
from shared.http.problems import answer_with_problems

HOLD_SECONDS: Final = 60
"""How long a caller is kept waiting for an answer that does not come, unless he leaves before."""

router = APIRouter()


class CustomerMessages(Body):
    """What customers write to one business number."""

    phone_number_id: str = Field(examples=["106540352242922"])
    messages: list[Written] = Field(min_length=1, max_length=MOST_MESSAGES)


class WrittenMessages(BaseModel):
    """What customers wrote, as the ledger has it; whether it was acknowledged is told there."""

    items: list[CustomerMessage]


class Extract(Body):
    """Which records are asked for."""

    phone_number_id: str | None = None
    after: int = Field(0, ge=0, description="The number of the last record that is known.")
    limit: int = Field(100, ge=1, le=1000)


def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


Simulated = Annotated[Provider, Depends(_provider)]
Asked = Annotated[Extract, Query()]
PhoneNumberId = Annotated[str, StringConstraints(pattern=r"^[0-9]{5,20}$")]


def application(
    client: httpx.AsyncClient | None = None, *, patience: Patience = METAS_PATIENCE, hold_seconds: float = HOLD_SECONDS
) -> FastAPI:
    """The simulator; `client` is what it calls back with."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with client or outgoing_client() as calling:
            accounts: dict[str, Account] = {}
            async with aclosing(Webhooks(calling, accounts, patience)) as webhooks:
                app.state.provider = Provider(webhooks, accounts)
                yield

    app = FastAPI(title="Balcão's provider simulator", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.hold_seconds = hold_seconds
    answer_with_problems(app)
    app.include_router(docs_page)
    app.include_router(router)
    return app


def served() -> RequestEdge:
    """The simulator as a process serves it: bodies bounded, one line a request in the log."""
    return RequestEdge(application())


@router.get("/live", summary="Whether the process runs")
async def live() -> dict[str, str]:
    return {"status": "live"}


@router.post("/whatsapp/{phone_number_id}/messages", summary="Send a message, as by WhatsApp Cloud API")
async def send_message(phone_number_id: str, provider: Simulated, request: Request) -> Response:
    """Takes and answers what Meta does: errors are in Meta's shape, and `Retry-After` goes with 429.

    A send whose fate is to time out is accepted and never answered.
    """
    raw = await request.body()
    try:
        send, sent = provider.take_send(phone_number_id, request.headers.get("authorization", ""), raw)
    except Refusal as refusal:
        return refusal.to_response()
    if sent.answered == "timed_out":
        await _hold(request)
        # As of a proxy on the way: any error of Meta's would say that the message was not accepted.
        return Response(status_code=504)
    return JSONResponse(accepted(send, sent.wamid))


@router.put("/accounts/{phone_number_id}", status_code=204, summary="Tell whom to call back")
async def put_account(phone_number_id: PhoneNumberId, account: Account, provider: Simulated) -> None:
    provider.accounts[phone_number_id] = account


@router.get("/behaviour", summary="How the provider behaves")
async def get_behaviour(provider: Simulated) -> Behaviour:
    return provider.behaviour


@router.put("/behaviour", summary="Let the provider behave")
async def put_behaviour(behaviour: Behaviour, provider: Simulated) -> Behaviour:
    """What is left out is as at the start. What was accepted before keeps its fate."""
    provider.behaviour = behaviour
    return behaviour


@router.post("/customers/messages", status_code=202, summary="Let customers write")
async def write_messages(wanted: CustomerMessages, provider: Simulated) -> WrittenMessages:
    """Each customer's messages are posted one after the other, each until it is acknowledged.

    404 for a number without an account, 503 when too much is still to be told.
    """
    if wanted.phone_number_id not in provider.accounts:
        raise NotFound("There is no account for this number.")
    if not provider.has_room(len(wanted.messages)):
        raise Unavailable("Too much is still to be told.")
    return WrittenMessages(items=provider.write(wanted.phone_number_id, wanted.messages))


@router.get("/customers/answers", summary="What customers answer")
async def get_answers(provider: Simulated) -> Answers:
    return provider.answers


@router.put("/customers/answers", summary="Let customers answer what they get")
async def put_answers(answers: Answers, provider: Simulated) -> Answers:
    provider.answers = answers
    return answers


@router.get("/ledger", summary="How many there have been of each kind")
async def count_records(provider: Simulated) -> Counts:
    return provider.ledger.counts()


@router.get("/ledger/sends", summary="Every send that was accepted")
async def list_sends(asked: Asked, provider: Simulated) -> Listed[Sent]:
    return provider.ledger.sends.read(**asked.model_dump())


@router.get("/ledger/customers", summary="Everything that customers wrote")
async def list_customer_messages(asked: Asked, provider: Simulated) -> Listed[CustomerMessage]:
    return provider.ledger.customers.read(**asked.model_dump())


@router.get("/ledger/statuses", summary="Every status that was posted")
async def list_statuses(asked: Asked, provider: Simulated) -> Listed[StatusTold]:
    return provider.ledger.statuses.read(**asked.model_dump())


@router.delete("/ledger", status_code=204, summary="Forget what happened")
async def forget(provider: Simulated) -> None:
    """Numbers and places begin anew; what is still to be told is told nevertheless."""
    provider.ledger = Ledger()


async def _hold(request: Request) -> None:
    """Until the caller leaves, or for as long as he may have to wait."""
    try:
        async with asyncio.timeout(request.app.state.hold_seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass
