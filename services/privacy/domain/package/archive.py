"""A ZIP that is written while it is sent: nothing is kept but what was not taken yet."""

import zipfile
from datetime import datetime
from typing import IO


class Archive:
    """A ZIP archive of files that are written one after the other; its bytes are taken as they come.

    It is compressed where it is written to: a thread may do that, but only one at a time.
    """

    def __init__(self, made_at: datetime) -> None:
        self._made_at = made_at
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)  # type: ignore[call-overload]
        self._file: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """What is written from here on belongs to the file of this name."""
        self._end()
        entry = zipfile.ZipInfo(name, self._made_at.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        # Nobody knows yet how long it will be: room for more than 4 GiB is set aside.
        self._file = self._zip.open(entry, "w", force_zip64=True)

    def write(self, data: bytes) -> bytes:
        """Add to the file; what there is to send by now."""
        if self._file is None:
            raise ValueError("no file was begun")
        self._file.write(data)
        return self._sink.take()

    def finish(self) -> bytes:
        """The rest, with the directory."""
        self._end()
        self._zip.close()
        return self._sink.take()

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()


class _Sink:
    """What a ZIP is written to that cannot be gone back in."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken
