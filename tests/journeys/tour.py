"""The tour of the README as data, and a shell that plays it as it stands there."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.local.running import RunningSet
from deploy.processes import REPOSITORY
from tests.journeys.access import code_in
from tests.journeys.reading import Reader, reading
from tests.journeys.whole_set import whole_set
from tests.support.waiting import until

SECTIONS = ("Five minutes", "A provider to play with")
SECONDS = 240

# Whoever follows the tour gives things two seconds; here they take as long as they take. One second is for a stream
# to be open, which nothing tells.
_WAITING = 'sleep() { if [ "$1" = 1 ]; then command sleep 1; else echo >&"$ASKS"; read -r; fi; }\n'


@dataclass(frozen=True)
class Passage:
    """A block of commands, and what is said before it."""

    prose: str
    code: str


def passages() -> Iterator[Passage]:
    """Those of the tour, in their order."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    for title in SECTIONS:
        section = re.search(rf"^## {title}\n(.*?)(?=^## )", readme, re.MULTILINE | re.DOTALL)
        assert section is not None, f"README.md has no section {title!r}"
        for prose, code in re.findall(r"(.*?)^```sh\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL):
            yield Passage(" ".join(prose.split()), code)


def read(screen: str) -> list[Any]:
    """The JSON objects on a screen, and each line between them as it is."""
    found: list[Any] = []
    while screen := screen.strip():
        if screen.startswith("{"):
            one, end = json.JSONDecoder().raw_decode(screen)
        else:
            one, _, _ = screen.partition("\n")
            end = len(one)
        found.append(one)
        screen = screen[end:]
    return found


TOUR = list(passages())


async def play(
    told: Sequence[Passage], folder: Path, replace: dict[str, str], settled: Callable[[], Awaitable[Any]]
) -> list[list[Any]]:
    """What each block shows, read, all played in one shell that stands in `folder`.

    `replace` moves the ports, as the README says that it can be done; `settled` returns once all that was told has
    taken effect. Raises `AssertionError` with what the shell complained of when a command fails.
    """
    screens = [folder / f"screen-{number}" for number in range(len(told))]
    script = _WAITING + "".join(f"exec >{screen.name}\n{one.code}" for screen, one in zip(screens, told, strict=True))
    for written, meant in replace.items():
        script = script.replace(written, meant)
    asks, asked = os.pipe()
    bash = shutil.which("bash")
    assert bash is not None
    shell = await asyncio.create_subprocess_exec(
        *(bash, "-euo", "pipefail", "-c", script),
        cwd=folder,
        env={**os.environ, "ASKS": str(asked)},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=[asked],
    )
    os.close(asked)
    answering = asyncio.create_task(_answer(asks, shell, settled))
    try:
        async with asyncio.timeout(SECONDS):
            assert shell.stderr is not None
            complaint = await shell.stderr.read()
            await shell.wait()
    finally:
        answering.cancel()
        if shell.returncode is None:
            shell.kill()
            await shell.wait()
        await asyncio.gather(answering, return_exceptions=True)
    seen = [screen.read_text() for screen in screens if screen.exists()]
    assert shell.returncode == 0, f"the tour broke off: {complaint.decode()}\n{seen[-1:]}"
    return [read(screen) for screen in seen]


async def _answer(asks: int, shell: asyncio.subprocess.Process, settled: Callable[[], Awaitable[Any]]) -> None:
    """Tell the shell each time it asks, once all has settled."""
    reader = asyncio.StreamReader()
    pipe = os.fdopen(asks, "rb")
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    assert shell.stdin is not None
    try:
        while await reader.readline():
            await settled()
            shell.stdin.write(b"\n")
            await shell.stdin.drain()
    finally:
        transport.close()


@dataclass(frozen=True)
class Played:
    """What came of the tour, and what was known before it."""

    shown: list[list[Any]]
    """Of each passage."""
    demo: dict[str, Any]
    """What `demo.json` held."""
    root: Path


async def play_on_new_set(root: Path, folder: Path) -> Played:
    """The tour on a set under `root`, which has stopped again when this returns; its agents have gone home."""
    (folder / ".local").symlink_to(root)
    async with whole_set(root) as running, reading(running) as read:
        ports = {"http://127.0.0.1:8000": running.gateway_url, "http://127.0.0.1:8010": running.simulator_url}
        shown = await play(TOUR, folder, ports, lambda: until(lambda: _is_settled(running, read)))
        await _all_go_home(running)
        return Played(shown, running.demo, root)


async def _is_settled(running: RunningSet, read: Reader) -> bool:
    """Whether all that customers wrote is in the history and counted, and all that they were answered has left."""
    if not await _all_have_been_given(running, read):
        return False
    conversations, messages = await read.items("/v1/conversations"), await read.all_messages()
    written = [message for message in messages if message["direction"] == "inbound"]
    came = [one for one in await read.items("/v1/raw-events", state="accepted") if ".messages[" in one["path"]]
    figures = await read.figures()
    return (
        len(written) == len(came) == figures["messages-received"]
        and all(one["status"] == "resolved" or one["assignee_id"] for one in conversations)
        and not any(message["status"] in {"queued", "sent"} for message in messages)
    )


async def _all_have_been_given(running: RunningSet, read: Reader) -> bool:
    """Whether who asks what is held about him has been sent his code, or, once that is approved, all of it."""
    asked = await read.items("/v1/privacy/requests")
    async with httpx.AsyncClient(base_url=running.simulator_url, timeout=10) as simulator:
        sends = (await simulator.get("/ledger/sends", params={"limit": 1000})).json()["items"]
    codes = [send for send in sends if code_in([send["text"]])]
    return len(codes) >= len(asked) and not any(request["state"] in {"approved", "collecting"} for request in asked)


async def _all_go_home(running: RunningSet) -> None:
    async with httpx.AsyncClient(base_url=running.gateway_url, timeout=10) as client:
        for agent in running.demo["agents"]:
            headers = {"Authorization": f"Bearer {agent['key']}"}
            answer = await client.put(f"/v1/agents/{agent['id']}/presence", json={"status": "offline"}, headers=headers)
            assert answer.is_success, answer.text
