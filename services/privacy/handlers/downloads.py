"""A package as it is sent: a ZIP that is put together from the sealed parts on its way, with none of it kept.

HTTP tells nobody's receipt. What a client's connection loses after the last byte was handed to it is gone here too, and
has to be asked for anew.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import orjson

from services.privacy import store
from services.privacy.domain.package.archive import Archive
from services.privacy.domain.package.contents import Assembly, Holding, Rendering
from services.privacy.domain.package.data import Data
from services.privacy.domain.package.pages import Pages
from services.privacy.domain.package.shape import json_schema
from services.privacy.handlers.packages import Claim
from shared.db import Database
from shared.rights import Part, Place, open_part, read_part


async def package_stream(claimed: Claim, database: Database) -> AsyncGenerator[bytes]:
    """The package as a ZIP, put together from its parts while it is sent; no transaction is open meanwhile."""
    archive = Archive(claimed.cover.made_at)
    archive.begin("schema.json")
    yield archive.write(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2))
    renderings: Sequence[Rendering] = (Data(claimed.cover), Pages(claimed.cover))
    for rendering in renderings:
        archive.begin(rendering.name)
        yield archive.write(rendering.beginning())
        for holding in rendering.order(claimed.holdings):
            yield archive.write(rendering.table(holding))
            assembly = Assembly()
            for number in holding.parts:
                sealed = await _sealed(claimed, holding, number, database)
                yield await asyncio.to_thread(_add, archive, rendering, assembly, claimed, holding, number, sealed)
        yield archive.write(rendering.ending())
    yield archive.finish()


def _add(
    archive: Archive,
    rendering: Rendering,
    assembly: Assembly,
    claimed: Claim,
    holding: Holding,
    number: int,
    sealed: bytes,
) -> bytes:
    place = Place(claimed.tenant_id, claimed.request_id, holding.service, holding.attempt, number)
    part = read_part(open_part(claimed.key, sealed, place))
    return archive.write(rendering.rows(assembly.whole(part.rows))) if isinstance(part, Part) else b""


async def _sealed(claimed: Claim, holding: Holding, number: int, database: Database) -> bytes:
    async with database.unit_of_work([claimed.tenant_id]) as uow:
        place = (claimed.tenant_id, claimed.request_id, holding.service, number)
        sealed = await store.sealed_part(*place, uow.session)
    if sealed is None:
        raise LookupError("a part of the package is gone")
    return sealed
