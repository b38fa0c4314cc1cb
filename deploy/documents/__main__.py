"""Writes the derived documents (`python -m deploy.documents`), or tells with `--check` which have drifted."""

import argparse
import difflib
import json
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from deploy.documents.asyncapi import asyncapi
from deploy.documents.cards import cards
from deploy.documents.event_map import with_event_map
from deploy.documents.openapi import openapi
from deploy.documents.records import example_records, shown
from deploy.processes import REPOSITORY
from services.privacy.domain.package.shape import json_schema

_EVENTS: Final = "docs/events"
_SHOWN_LINES: Final = 20


def documents() -> dict[str, str]:
    """The text of each document by its path in the repository."""
    every, records = cards(), example_records()
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    return {
        "docs/openapi.json": _json(openapi(every)),
        "docs/asyncapi.json": _json(asyncapi(every, records)),
        **{f"{_EVENTS}/{type_}.json": _json(shown(record)) for type_, record in records.items()},
        "docs/schemas/access-package.json": _json(json_schema()),
        "README.md": with_event_map(readme, every),
    }


def drift(wanted: Mapping[str, str]) -> dict[str, str | None]:
    """The documents that are not as they should be, with the text that they should have; None is one too many."""
    stale = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / _EVENTS).glob("*.json")} - wanted.keys()
    changed = {path: text for path, text in wanted.items() if _read(REPOSITORY / path) != text}
    return changed | dict.fromkeys(sorted(stale))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.documents")
    parser.add_argument("--check", action="store_true", help="change nothing, and fail when a document has drifted")
    check = parser.parse_args().check
    found = drift(documents())
    for path, text in found.items():
        if check:
            print(_difference(path, text))
        else:
            _write(REPOSITORY / path, text)
            print(f"{'wrote' if text is not None else 'deleted'} {path}")
    if check and found:
        print("the documents do not say what the code does; write them anew with `make docs`", file=sys.stderr)
        return 1
    return 0


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _difference(path: str, text: str | None) -> str:
    before, after = _read(REPOSITORY / path).splitlines(), (text or "").splitlines()
    lines = difflib.unified_diff(before, after, path, f"{path}, as the code says", lineterm="", n=1)
    return "\n".join(islice(lines, _SHOWN_LINES))


if __name__ == "__main__":
    sys.exit(main())
