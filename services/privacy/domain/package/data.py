"""A package's `data.json`: all rows for a machine to read, by the published schema."""

from collections.abc import Iterable, Sequence

import orjson

from services.privacy.domain.package.contents import Cover, Holding, Row
from services.privacy.domain.package.shape import SCHEMA


class Data:
    """Writes `data.json` a piece at a time (`AccessPackage`)."""

    name = "data.json"

    def __init__(self, cover: Cover) -> None:
        self._cover = cover
        self._service: str | None = None
        self._joint = b""

    def order(self, holdings: Iterable[Holding]) -> list[Holding]:
        return sorted(holdings, key=lambda holding: (holding.service, holding.table))

    def beginning(self) -> bytes:
        shapes = {
            name: getattr(self._cover, name).model_dump(mode="json") for name in ("controller", "request", "about")
        }
        return orjson.dumps({"schema": SCHEMA, **shapes})[:-1] + b',"services":{'

    def table(self, holding: Holding) -> bytes:
        if holding.service == self._service:
            before = b"],"
        else:
            before = (b"]}," if self._service else b"") + orjson.dumps(holding.service) + b":{"
        self._service, self._joint = holding.service, b""
        return before + orjson.dumps(holding.table) + b":["

    def rows(self, rows: Sequence[Row]) -> bytes:
        if not rows:
            return b""
        joint, self._joint = self._joint, b","
        return joint + orjson.dumps(rows)[1:-1]

    def ending(self) -> bytes:
        return (b"]}" if self._service else b"") + b"}}"
