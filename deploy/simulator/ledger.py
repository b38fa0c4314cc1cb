"""What the simulated provider and its customers know, to be reconciled with what Balcão says."""

from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

MOST_RECORDS: Final = 100_000
"""How many of each kind are kept; the oldest are forgotten, which their missing numbers show."""


class Record(BaseModel):
    """Something that happened."""

    model_config = ConfigDict(populate_by_name=True)

    n: int = Field(description="Counts all of its kind, whichever number they are of.", examples=[1])
    phone_number_id: str = Field(examples=["106540352242922"])


class Sent(Record):
    """A send that was accepted, as it was received."""

    received_at: datetime
    to: str = Field(examples=["5511987654321"])
    text: str | None = Field(examples=["Bom dia! Já saiu."])
    callback_data: str | None = Field(description="`biz_opaque_callback_data`.")
    wamid: str = Field(examples=["wamid.iXwV0a7LCm1Q"])
    answered: Literal["accepted", "timed_out"]
    body: dict[str, Any] = Field(description="The whole body.")


class Posted(Record):
    """Something told by a webhook; neither acknowledged nor given up means that it is still under way."""

    attempts: int = 0
    acknowledged_at: datetime | None = None
    given_up: bool = False


class CustomerMessage(Posted):
    """What a customer wrote."""

    id: str = Field(examples=["wamid.Tq0b3xJ2"])
    from_: str = Field(alias="from", examples=["5511987654321"])
    name: str | None = Field(examples=["Maria Aparecida"])
    text: str = Field(examples=["O bolo já está pronto?"])
    sent_at: datetime


class StatusTold(Posted):
    """What became of a send; posted twice, it is here twice."""

    wamid: str
    status: str = Field(examples=["delivered"])
    happened_at: datetime


R = TypeVar("R", bound=Record)


class Listed(BaseModel, Generic[R]):
    """Records in the order of their numbers."""

    items: list[R]
    next_after: int | None = Field(description="What to give as `after` to read on; null at the end.")


class Counts(BaseModel):
    """How many there have been of each kind, those forgotten included."""

    sends: int
    refused: dict[str, int] = Field(description="Sends that were not accepted, by Meta's code.")
    customers: int
    statuses: int


class Book(Generic[R]):
    """The records of one kind."""

    def __init__(self) -> None:
        self._records: deque[R] = deque(maxlen=MOST_RECORDS)
        self.count = 0

    @property
    def next_n(self) -> int:
        """The number for the record that is written next."""
        return self.count + 1

    def write(self, record: R) -> R:
        """Keep a record; its number is the next."""
        self.count = record.n
        self._records.append(record)
        return record

    def read(self, phone_number_id: str | None, after: int, limit: int) -> Listed[R]:
        """The records after a number, of one account or of all."""
        found = list(islice(self._of(phone_number_id, after), limit + 1))
        items = found[:limit]
        return Listed(items=items, next_after=items[-1].n if len(found) > limit else None)

    def _of(self, phone_number_id: str | None, after: int) -> Iterator[R]:
        forgotten = self.count - len(self._records)
        for record in islice(self._records, max(0, after - forgotten), None):
            if phone_number_id in {None, record.phone_number_id}:
                yield record


class Ledger:
    """All books, and how many sends have arrived for each account."""

    def __init__(self) -> None:
        self.sends = Book[Sent]()
        self.customers = Book[CustomerMessage]()
        self.statuses = Book[StatusTold]()
        self._refused = Counter[str]()
        self._arrived = Counter[str]()

    def place(self, phone_number_id: str) -> int:
        """The place of the send that arrives now, in the order of arrival for its account."""
        self._arrived[phone_number_id] += 1
        return self._arrived[phone_number_id]

    def count_refusal(self, code: int) -> None:
        self._refused[str(code)] += 1

    def counts(self) -> Counts:
        return Counts(
            sends=self.sends.count,
            refused=dict(self._refused),
            customers=self.customers.count,
            statuses=self.statuses.count,
        )
