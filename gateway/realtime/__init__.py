"""The stream of what happens, live and resumable: read from the topics, kept for a while, shown to who may see it.

What is promised. A client that comes back with the last id that it was given is told every event of its tenant that it
may see and has not been told, each once, the events of one partition (so: of one conversation, as one speaker said
them) in their order; at whichever gateway it comes back. If that can no longer be kept, because what it missed has left
the ring, it is told `resync`, and goes on live: it then reads anew, by the API, what it shows.

An id is the reader's position in every partition, so it means the same to every gateway. A relay that died may have
published an event twice: the copy is recognised by the event's id and its nearness in the log alone, so that gateways
agree on what the stream holds.

That holds on a broker that keeps its log. One that forgets (the embedded one) is told everything again after a restart,
from offset 0 on. Who stays connected over that is not shown again what he was shown; who comes back with a position of
its former life is told `resync`; and only a gateway that was started in between knows no better than to show, after a
position in the new life, what is told again.
"""

from gateway.realtime.realtime import Realtime
from gateway.realtime.server_sent import events
from gateway.realtime.shown import SHOWN
from gateway.realtime.web_socket import socket

__all__ = ["SHOWN", "Realtime", "events", "socket"]
