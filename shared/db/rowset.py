"""Many rows for one statement: an array a column, so that any number of rows has the same plan and one round trip."""

from collections.abc import Iterable
from typing import Any, Final

import orjson

_JSON: Final = {"json", "jsonb"}


class Rowset:
    """Rows of these columns, each with its type in Postgres; as text it is what stands behind FROM.

    `Rowset("wanted", id="uuid", kind="text")` is `unnest(…) AS wanted(id, kind)`, and takes what `of` gives.
    """

    def __init__(self, name: str, /, *, numbered: str | None = None, **types: str) -> None:
        self._types = types
        self.columns: Final = ", ".join(types)
        arrays = ", ".join(f"CAST(:{column} AS {kind}[])" for column, kind in types.items())
        # A column more, which numbers the rows in the order in which they were given.
        place, ordinality = (f", {numbered}", " WITH ORDINALITY") if numbered else ("", "")
        self._text = f"unnest({arrays}){ordinality} AS {name}({self.columns}{place})"

    def __str__(self) -> str:
        return self._text

    def of(self, rows: Iterable[Any]) -> dict[str, list[Any]]:
        """The values of a statement over this rowset: of each row the attributes that are named as the columns."""
        given = list(rows)
        return {
            column: [_json(getattr(row, column)) if kind in _JSON else getattr(row, column) for row in given]
            for column, kind in self._types.items()
        }


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
