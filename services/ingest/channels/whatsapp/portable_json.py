"""JSON that every later reader can hold: Postgres takes no NUL, strict readers take no lone surrogate."""

import json
import re
from typing import Any, Never

import orjson

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def loads(text: bytes) -> Any:
    """What a JSON text says, with lone surrogates replaced by U+FFFD and NUL characters removed.

    Raises `ValueError` for what is not JSON (NaN and Infinity are not) and for what is nested too deeply.
    """
    try:
        return _read(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(value: Any, *, canonical: bool = False) -> bytes:
    """The JSON text of what `loads` gave; `canonical` text is the same for equal values.

    Raises `ValueError` for what is nested too deeply to be written.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if canonical else None)
    except orjson.JSONEncodeError as unwritable:
        raise ValueError(str(unwritable)) from None


def _read(text: bytes) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        # It refuses a whole text for one lone surrogate. Integers stay as bounded as it reads them.
        return _cleaned(json.loads(text.decode(), parse_int=orjson.loads, parse_constant=_refuse))
    return _cleaned(value) if rb"\u0000" in text else value


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value.replace("\0", ""))
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_cleaned(member) for member in value]
    return value
