"""Logging in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gateway import handlers
from gateway.api.users import show
from gateway.authentication import Authenticator
from gateway.handlers import Entrance, LogIn
from gateway.schemas import AccessTokenShown, Credentials
from gateway.tokens import LIFETIME, AccessToken
from shared.http import PUBLIC_SCOPE, Forbidden, TransactionRoute, Work, bearer


async def _anyone() -> None:
    """Nobody is asked who he is."""


async def _holder(request: Request) -> AccessToken:
    """The access token that the request shows, whatever its user may do; an API key is none."""
    entrance: Entrance = request.app.state.entrance
    token = entrance.tokens.read(bearer(request))
    if token is None:
        raise Forbidden("This is no access token: an API key is revoked, not given back.")
    return token


_anyone.scope = PUBLIC_SCOPE  # type: ignore[attr-defined]
_holder.scope = None  # type: ignore[attr-defined]

login = APIRouter(prefix="/v1/auth", tags=["Access tokens"])
logout = APIRouter(prefix="/v1/auth", route_class=TransactionRoute, tags=["Access tokens"])


@login.post("/tokens", summary="Log in", dependencies=[Depends(_anyone)])
async def log_in(body: Credentials, request: Request, response: Response) -> AccessTokenShown:
    """An e-mail address and its password for an access token, which is good for an hour.

    401 when one of them is wrong, without saying which. 429 after 10 failures of an address within 15 minutes, and for
    who fails too often from one place.
    """
    entrance: Entrance = request.app.state.entrance
    authenticator: Authenticator = request.app.state.desk.callers
    with authenticator.guess(request):
        user, token = await handlers.log_in(
            LogIn(body.email, body.password.get_secret_value(), body.tenant_slug), entrance
        )
    response.headers["Cache-Control"] = "no-store"
    return AccessTokenShown(access_token=token, expires_in=int(LIFETIME.total_seconds()), user=show(user))


@logout.delete("/tokens/current", status_code=204, summary="Log out")
async def log_out(token: Annotated[AccessToken, Depends(_holder)], uow: Work) -> None:
    """The access token that the request carries opens nothing any more, everywhere within seconds."""
    await handlers.end_token(token, uow)
