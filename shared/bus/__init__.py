"""Events on their way: out of the outbox, over the broker, into the handlers, each with effect once."""

from shared.bus.consumer import Consumer, Handler
from shared.bus.kafka import BrokerAwayError, Publisher
from shared.bus.relay import Relay
from shared.bus.retry import Fuse, Poison
from shared.bus.tail import Beginning, Place, Placed, Tail

__all__ = [
    "Beginning",
    "BrokerAwayError",
    "Consumer",
    "Fuse",
    "Handler",
    "Place",
    "Placed",
    "Poison",
    "Publisher",
    "Relay",
    "Tail",
]
