"""The version of a resource, told and asked for (RFC 9110 §8.8, §13.1)."""

from fastapi import Request, Response

from shared.http.problems import PreconditionFailed


def tell_version(response: Response, version: int) -> None:
    response.headers["ETag"] = f'"{version}"'


def check_version(request: Request, version: int) -> None:
    """Raise `PreconditionFailed` when the caller's `If-Match` names other versions than this one."""
    wanted = request.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return
    if f'"{version}"' not in [tag.strip() for tag in wanted.split(",")]:
        raise PreconditionFailed("Read it again and repeat the change.")
