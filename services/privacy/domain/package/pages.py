"""A package's `index.html`: the rows for a person to read, in his language, with nothing that runs or is fetched."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

import orjson
from babel import Locale
from babel.dates import parse_pattern

from services.privacy.domain.package.contents import Cover, Holding, Row
from services.privacy.domain.package.shape import Proof
from services.privacy.domain.package.words import (
    OTHER,
    WORDS,
    category_place,
    category_words,
    column_word,
    proof_word,
    table_word,
)

_DEEPEST: Final = 20
"""What is nested deeper than a person reads stands as JSON."""

_COPIES: Final = {"dead_letters", "outbox", "outbox_kept"}
"""What events said on their way: they hold again what stands elsewhere."""

_TELLING: Final = ("_at", "_until", "_since", "author_kind", "direction", "kind", "right", "state", "status")
"""How the other columns end that a person can make something of."""

_STYLE: Final = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 75rem; margin: 0 auto; padding: 1rem }
.rows { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse }
caption { text-align: start; font-weight: bold; padding: .25rem 0 }
th, td { border: 1px solid; padding: .25rem .5rem; text-align: start; vertical-align: top; white-space: pre-wrap;
  overflow-wrap: anywhere; min-width: 4rem; max-width: 30rem }
dt { font-weight: bold }
dd { margin: 0 0 .5rem }
"""

_PAGE: Final = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{introduction}</p>
{facts}
<p>{zone}</p>
</header>
<main>
"""


class Pages:
    """Writes `index.html` a piece at a time; whatever a row holds is text there, never markup."""

    name = "index.html"

    def __init__(self, cover: Cover) -> None:
        self._cover = cover
        self._spoken = cover.about.language
        self._words = WORDS[self._spoken]
        self._locale = Locale.parse(self._spoken, sep="-")
        date, time = (formats["medium"] for formats in (self._locale.date_formats, self._locale.time_formats))
        # Read once: there may be very many moments.
        self._written = parse_pattern(f"{date.pattern} {time.pattern}")
        self._category: str | None = None
        self._holding: Holding | None = None
        self._columns: Sequence[str] = ()
        self._elsewhere: list[Holding] = []

    def order(self, holdings: Iterable[Holding]) -> list[Holding]:
        """By category; what holds no words of the person's, or the same again, is only named: `data.json` has it."""
        filled = [holding for holding in holdings if holding.rows]
        filled.sort(key=lambda each: (category_place(each.category), each.service, each.table))
        self._elsewhere = [each for each in filled if not each.categories or each.table in _COPIES]
        return [each for each in filled if each not in self._elsewhere]

    def beginning(self) -> bytes:
        words, about, controller = self._words, self._cover.about, self._cover.controller
        page = _PAGE.format(
            language=self._spoken,
            title=escape(words.title),
            style=_STYLE,
            introduction=escape(words.introduction.format(controller=controller.name)),
            facts=_pairs(self._facts()),
            zone=escape(words.zone.format(zone=self._cover.zone.key)),
        )
        where = escape(about.authority.url)
        held = ((each.name, escape(each.explanation)) for each in about.categories)
        sections = {
            words.origin_heading: _paragraph(about.origin),
            words.recipients_heading: _list(map(escape, about.recipients)),
            words.ask_heading: _paragraph(about.whom_to_ask),
            words.rights_heading: _list(map(escape, about.rights)),
            words.authority_heading: f'<p>{escape(about.authority.name)}: <a href="{where}">{where}</a></p>',
            words.contents: _pairs(held) if about.categories else _paragraph(words.no_rows),
        }
        return (page + "".join(f"{_heading(name)}{told}\n" for name, told in sections.items())).encode()

    def table(self, holding: Holding) -> bytes:
        ended, heading = self._table_ended(), ""
        if holding.category != self._category:
            self._category = holding.category
            name, explanation = category_words(holding.category, self._spoken)
            heading = f"{_heading(name)}{_paragraph(explanation)}\n"
        self._holding, self._columns = holding, ()
        return (ended + heading).encode()

    def rows(self, rows: Sequence[Row]) -> bytes:
        if not rows or self._holding is None:
            return b""
        begun = ""
        if not self._columns:
            own = self._holding.categories
            self._columns = [name for name in rows[0] if name in own or name.endswith(_TELLING)]
            begun = self._table_begun(self._holding)
        return (begun + "".join(map(self._row, rows))).encode()

    def ending(self) -> bytes:
        return f"{self._table_ended()}{self._told_elsewhere()}</main>\n</body>\n</html>\n".encode()

    def _told_elsewhere(self) -> str:
        if not self._elsewhere:
            return ""
        name, explanation = category_words(OTHER, self._spoken)
        tables = _list(f"{table_word(each.table, self._spoken)}: {each.rows}" for each in self._elsewhere)
        return f"{_heading(name)}{_paragraph(f'{explanation} (data.json)')}{tables}\n"

    def _facts(self) -> Iterator[tuple[str, str]]:
        words, controller, request = self._words, self._cover.controller, self._cover.request
        yield words.controller, escape(controller.name)
        yield words.country, escape(self._locale.territories.get(controller.country, controller.country))
        yield words.law, escape(words.laws.get(controller.regime, controller.regime))
        yield words.request, escape(str(request.id))
        yield words.right, escape(words.access)
        yield words.received, self._time(request.received_at)
        if request.proof is not None:
            yield words.proof, self._proof(request.proof)
        yield words.made, self._time(self._cover.made_at)

    def _proof(self, proof: Proof) -> str:
        return f"{escape(proof_word(proof.method, self._spoken))}, {self._time(proof.proved_at)}"

    def _table_begun(self, holding: Holding) -> str:
        caption = f"{table_word(holding.table, self._spoken)} ({self._words.rows.format(count=holding.rows)})"
        heads = "".join(f'<th scope="col">{escape(column_word(name, self._spoken))}</th>' for name in self._columns)
        # Who uses no mouse moves it by its keys, and needs to know what it is.
        return (
            f'<div class="rows" role="region" tabindex="0" aria-label="{escape(caption)}">\n'
            f"<table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n"
        )

    def _table_ended(self) -> str:
        return "</tbody>\n</table>\n</div>\n" if self._columns else ""

    def _row(self, row: Row) -> str:
        return f"<tr>{''.join(f'<td>{self._value(name, row.get(name))}</td>' for name in self._columns)}</tr>\n"

    def _value(self, name: str, value: Any, depth: int = 0) -> str:
        if isinstance(value, Mapping | list) and depth == _DEEPEST:
            return escape(orjson.dumps(value).decode())
        if isinstance(value, Mapping):
            return _pairs(
                (column_word(key, self._spoken), self._value(key, each, depth + 1)) for key, each in value.items()
            )
        if isinstance(value, list):
            return _list(self._value(name, each, depth + 1) for each in value)
        return self._said(name, value)

    def _said(self, name: str, value: str | float | bool | None) -> str:
        match value:
            case None | "":
                return "—"
            case bool():
                return self._words.yes if value else self._words.no
            case str() if name.endswith(("_at", "_until", "_since")):
                return self._moment(value)
            case _:
                return escape(str(value))

    def _moment(self, value: str) -> str:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return escape(value)
        return self._time(moment) if moment.tzinfo is not None else escape(value)

    def _time(self, moment: datetime) -> str:
        local = moment.astimezone(self._cover.zone)
        said = self._written.apply(local, self._locale)
        return f'<time datetime="{local.isoformat(timespec="seconds")}">{escape(said)}</time>'


def _heading(name: str) -> str:
    return f"<h2>{escape(name)}</h2>\n"


def _paragraph(said: str) -> str:
    return f"<p>{escape(said)}</p>"


def _pairs(told: Iterable[tuple[str, str]]) -> str:
    """Names, each with what is already markup."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{value}</dd>' for name, value in told)}</dl>"


def _list(told: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{one}</li>' for one in told)}</ul>"
