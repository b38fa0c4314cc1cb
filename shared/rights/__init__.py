"""The rights of a person, kept by every process alike: each hands over what it holds about him."""

from shared.rights.access import Depositor, DepositPage, scheduling
from shared.rights.deposits import (
    KEY_BYTES,
    KEY_PURPOSE,
    NO_PARTS,
    PART_BYTES,
    PARTICIPANTS,
    PIECE,
    Complete,
    Completion,
    Part,
    Place,
    TableGiven,
    digest_of,
    digest_over,
    open_part,
    read_part,
    seal_part,
)
from shared.rights.holdings import Holdings, Page, Person

__all__ = [
    "KEY_BYTES",
    "KEY_PURPOSE",
    "NO_PARTS",
    "PARTICIPANTS",
    "PART_BYTES",
    "PIECE",
    "Complete",
    "Completion",
    "DepositPage",
    "Depositor",
    "Holdings",
    "Page",
    "Part",
    "Person",
    "Place",
    "TableGiven",
    "digest_of",
    "digest_over",
    "open_part",
    "read_part",
    "scheduling",
    "seal_part",
]
