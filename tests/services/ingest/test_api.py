"""Ingest's doors: channel accounts for their tenant, the handshake and the signature for the provider."""

import asyncio
import base64
from typing import Any

import pytest
from sqlalchemy import text as sql

from shared.ids import new_id
from tests.support.accounts import SECRET, TOKEN, Accounts, body, new_channel, text


class TestChannels:
    async def test_a_connected_account_tells_where_the_provider_posts(self, accounts: Accounts) -> None:
        answer = await accounts.admin.post("/channels", json=new_channel())
        channel = answer.json()
        assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
        assert channel["webhook_url"] == f"https://hooks.example/webhooks/whatsapp/{channel['id']}"
        assert channel["settings"] == {"phone_number_id": "106540352242922"}
        assert (await accounts.admin.get(f"/channels/{channel['id']}")).json() == channel
        assert (await accounts.admin.get("/channels")).json() == {"items": [channel], "next_cursor": None}

    async def test_no_answer_and_no_table_shows_its_credentials(self, accounts: Accounts) -> None:
        channel = await accounts.connect()
        changed = await accounts.admin.patch(
            f"/channels/{channel['id']}", json={"credentials": new_channel()["credentials"]}
        )
        wrong = await accounts.admin.post("/channels", json=new_channel(credentials={"app_secret": SECRET[:7]}))
        told = f"{channel}{changed.text}{wrong.text}{(await accounts.admin.get('/channels')).text}"
        async with accounts.database.unit_of_work([accounts.tenant_id]) as uow:
            query = sql("SELECT settings::text, credentials FROM channels WHERE tenant_id = :tenant")
            settings, sealed = (await uow.session.execute(query, {"tenant": accounts.tenant_id})).one()
        for secret in (SECRET, SECRET[:7], TOKEN, "EAAG"):
            assert secret not in told
            assert secret not in settings
            assert secret.encode() not in sealed
            assert base64.b64encode(secret.encode()) not in sealed

    async def test_an_account_is_connected_once_in_a_tenant(self, accounts: Accounts) -> None:
        await accounts.connect()
        again = await accounts.admin.post("/channels", json=new_channel(), headers={"Idempotency-Key": "k"})
        assert again.json()["type"] == "/problems/channel-exists"
        other = Accounts(accounts.served, accounts.database, new_id())
        assert (await other.connect())["id"]

    async def test_who_read_an_old_version_does_not_change_it(self, accounts: Accounts) -> None:
        path = f"/channels/{(await accounts.connect())['id']}"
        first = await accounts.admin.patch(path, json={"name": "Loja"}, headers={"If-Match": '"1"'})
        assert (first.json()["name"], first.headers["etag"]) == ("Loja", '"2"')
        late = await accounts.admin.patch(path, json={"name": "Balcão"}, headers={"If-Match": '"1"'})
        assert late.status_code == 412
        assert (await accounts.admin.get(path)).json()["name"] == "Loja"

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"kind": "pigeon"}, "/kind"),
            ({"name": ""}, "/name"),
            ({"name": "a\x00b"}, "/name"),
            ({"settings": {"phone_number_id": "+55 11"}}, "/settings/phone_number_id"),
            ({"settings": {"phone_number_id": "106540352242922", "colour": "blue"}}, "/settings/colour"),
            ({"credentials": {"app_secret": SECRET}}, "/credentials/verify_token"),
        ],
    )
    async def test_an_account_that_cannot_be_is_refused_with_a_pointer(
        self, accounts: Accounts, changes: dict[str, Any], pointer: str
    ) -> None:
        answer = await accounts.admin.post("/channels", json=new_channel(**changes))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    async def test_another_tenants_account_is_not_there(self, accounts: Accounts) -> None:
        path = f"/channels/{(await accounts.connect())['id']}"
        stranger = accounts.served.caller(new_id())
        assert (await stranger.get("/channels")).json()["items"] == []
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.patch(path, json={"name": "mine"})).status_code == 404

    async def test_who_lacks_the_scope_may_not(self, accounts: Accounts) -> None:
        reader = accounts.served.caller(accounts.tenant_id, ["channels:read"])
        assert (await reader.get("/channels")).status_code == 200
        assert (await reader.post("/channels", json=new_channel())).status_code == 403
        assert (await accounts.served.caller(accounts.tenant_id, []).get("/raw-events")).status_code == 403


class TestProvidersDoor:
    async def test_the_handshake_answers_who_knows_the_token(self, accounts: Accounts) -> None:
        path = f"/webhooks/whatsapp/{(await accounts.connect())['id']}"
        question = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"}
        answer = await accounts.served.stranger.get(path, params=question)
        assert (answer.status_code, answer.text) == (200, "1158201444")
        assert answer.headers["content-type"].startswith("text/plain")
        refused = await accounts.served.stranger.get(path, params=question | {"hub.verify_token": "another"})
        assert refused.status_code == 403

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("address", ["whatsapp/{unknown}", "whatsapp/nonsense", "pigeon/{known}", "whatsapp/%00"])
    async def test_an_address_that_is_nobodys_is_not_found(self, accounts: Accounts, method: str, address: str) -> None:
        known = (await accounts.connect())["id"]
        path = f"/webhooks/{address.format(unknown=new_id(), known=known)}"
        answer = await accounts.served.stranger.request(method, path, content=body(text()))
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_what_the_provider_did_not_sign_is_refused_and_leaves_nothing(self, accounts: Accounts) -> None:
        channel = await accounts.connect()
        assert (await accounts.post(channel, body(text()), secret="another-secret")).status_code == 401
        unsigned = await accounts.served.stranger.post(f"/webhooks/whatsapp/{channel['id']}", content=body(text()))
        assert unsigned.status_code == 401
        assert not await accounts.raw_events()

    async def test_new_credentials_hold_from_then_on(self, accounts: Accounts) -> None:
        channel = await accounts.connect()
        assert (await accounts.post(channel, body(text("A")))).status_code == 200
        credentials = new_channel(secret="a-new-secret")["credentials"]
        await accounts.admin.patch(f"/channels/{channel['id']}", json={"credentials": credentials})
        await asyncio.sleep(0.002)
        assert (await accounts.post(channel, body(text("B")))).status_code == 401
        assert (await accounts.post(channel, body(text("B")), secret="a-new-secret")).status_code == 200
