"""Logging in and out: a password for an access token, and who holds one."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway import store
from gateway.domain import ALLOWED, Role, locked_seconds
from gateway.models import User
from gateway.passwords import Passwords
from gateway.tokens import LIFETIME, AccessToken, AccessTokens
from shared.db import Database, UnitOfWork
from shared.http import Caller, TooManyRequests, Unauthorized, Unavailable
from shared.personal import BlindIndex

_EVERYWHERE: Final = UUID(int=0)
_ACCOUNTS: Final = 5
"""Of so many tenants a password is tried when it is not said which one is meant."""


@dataclass(frozen=True, slots=True)
class LogIn:
    email: str
    """In its normal form."""
    password: str
    tenant_slug: str | None = None


@dataclass(frozen=True, slots=True)
class Entrance:
    """What logging in works with."""

    database: Database
    blind_index: BlindIndex
    passwords: Passwords
    tokens: AccessTokens


async def log_in(command: LogIn, entrance: Entrance) -> tuple[User, str]:
    """The user and an access token for him.

    Raises `Unauthorized`, after as much work whether or not the address is anybody's; `TooManyRequests` while the
    address is locked, whether or not the password is right; `Unavailable` when too many log in at once, which is no
    failure of theirs.
    """
    address = fingerprint(command.email, None, entrance.blind_index)
    at_most = 1 if command.tenant_slug else _ACCOUNTS
    async with entrance.database.unit_of_work([]) as uow:
        # Counted before it is known to be one, so that guesses at the same moment are counted, too.
        counted = await store.count_failure(address, uow.now, uow.session)
        if seconds := locked_seconds(counted.failures, counted.since, uow.now):
            raise TooManyRequests("Too many log-ins failed.", headers={"Retry-After": str(seconds)})
        meant = fingerprint(command.email, command.tenant_slug, entrance.blind_index)
        logins = await store.logins(meant, uow.session, limit=at_most)
    async with entrance.database.unit_of_work({one.tenant_id for one in logins}) as uow:
        users = await store.users_of_logins(logins, uow.session)
    hashes = [user.password_hash for user in users if user.password_hash is not None]
    try:
        place = await entrance.passwords.whose(command.password, hashes, most=at_most)
    except Unavailable:
        async with entrance.database.unit_of_work([]) as uow:
            await store.take_failure_back(address, uow.session)
        raise
    if place is None:
        raise Unauthorized("The e-mail address or the password is wrong.")
    user = users[place]
    async with entrance.database.unit_of_work([]) as uow:
        await store.take_failure_back(address, uow.session)
    token = AccessToken(uow.new_id(), user.tenant_id, user.id, user.token_version, uow.now + LIFETIME)
    return user, entrance.tokens.sign(token, uow.now)


async def end_token(token: AccessToken, uow: UnitOfWork) -> None:
    """Let a token open nothing any more."""
    await store.end_token(token.tenant_id, token.id, token.expires_at, uow.now, uow.session)


async def caller_of_token(token: AccessToken, database: Database) -> Caller | None:
    """Who holds a token; None when he gave it back, or was deactivated, or has another role or password since."""
    async with database.unit_of_work([token.tenant_id]) as uow:
        user = await store.user_of_token(token.tenant_id, token.user_id, token.id, uow.session)
    if user is None or user.token_version != token.version:
        return None
    return Caller(str(user.id), user.tenant_id, ALLOWED[Role(user.role)])


def fingerprint(email: str, tenant_slug: str | None, blind_index: BlindIndex) -> str:
    """What stands for an e-mail address: at one tenant, or wherever it is known."""
    return blind_index.of(_EVERYWHERE, "login", email if tenant_slug is None else f"{tenant_slug} {email}")
