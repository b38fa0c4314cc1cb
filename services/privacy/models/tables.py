"""What every table of privacy's stands on."""

from shared.db import Model, new_metadata


class Table(Model):
    __abstract__ = True
    metadata = new_metadata()
