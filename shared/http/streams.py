"""How an answer looks that goes on as long as there is news: server-sent events (WHATWG HTML, §9.2)."""

from typing import Final

EVENT_STREAM: Final = "text/event-stream"

# Whatever stands between here and the client must not gather the events before it passes them on.
AS_IT_COMES: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
