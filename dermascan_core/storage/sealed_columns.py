"""Which columns are sealed (every column of bytes is, and no other), and sealing them again with the newest key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, LargeBinary, Table, func, select, tuple_, update
from sqlalchemy.orm import Session

from ..errors import SealError
from .schema import Base
from .vault import ID_BYTES, Vault

RowKey = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """One column of sealed bytes."""

    table: Table
    column: Column[Any]

    @property
    def name(self) -> str:
        """As ``people.name``."""
        return f"{self.table.name}.{self.column.name}"


@dataclass(frozen=True, slots=True)
class Resealed:
    """What was done to some rows of a column.

    Attributes:
        n_rows: How many were sealed anew.
        problems: One sentence for each that no key opens; it is left as it was.
        last: The last row that was looked at; None where there was none left.
    """

    n_rows: int
    problems: tuple[str, ...]
    last: RowKey | None


def sealed_columns() -> Iterator[SealedColumn]:
    """Yield every sealed column of the tables."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, LargeBinary):
                yield SealedColumn(table, column)


def any_sealed(session: Session) -> bytes | None:
    """Return one sealed value of the database, to try a key on; None where it holds none."""
    for sealed in sealed_columns():
        value: bytes | None = session.scalar(select(sealed.column).where(sealed.column.is_not(None)).limit(1))
        if value is not None:
            return value
    return None


def reseal_rows(session: Session, sealed: SealedColumn, vault: Vault, *, after: RowKey | None, limit: int) -> Resealed:
    """Seal some rows of one column with the newest key, in the order of their ids.

    Args:
        session: Of a transaction in which nobody else writes.
        sealed: Which column.
        vault: Opens what is there.
        after: The row after which to go on; None for the beginning.
        limit: At most so many rows, of those that an older key sealed.
    """
    keys = list(sealed.table.primary_key.columns)
    newest = bytes.fromhex(vault.key_ids()[0])
    query = select(*keys, sealed.column).where(func.substr(sealed.column, 1, ID_BYTES) != newest)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    n_rows, problems, last = 0, [], None
    for *row_key, value in session.execute(query.order_by(*keys).limit(limit)).all():
        last = tuple(row_key)
        try:
            anew = vault.seal_bytes(vault.open_bytes(value))
        except SealError as error:
            problems.append(f"{sealed.name} of {' '.join(map(str, row_key))}: {error}")
            continue
        same_row = [key == part for key, part in zip(keys, row_key, strict=True)]
        session.execute(update(sealed.table).where(*same_row).values({sealed.column: anew}))
        n_rows += 1
    return Resealed(n_rows, tuple(problems), last)
