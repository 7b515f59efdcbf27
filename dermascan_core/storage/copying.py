"""Copies every row of the records from one database to another, of either kind."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, exists, func, insert, select

from .schema import Base

_ROWS_AT_ONCE = 500


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy all rows of all tables, those that others belong to first.

    Args:
        source: In a transaction that sees one state.
        target: In a transaction, with the same tables, empty.
    """
    for table in Base.metadata.sorted_tables:
        rows = source.execute(select(table).execution_options(yield_per=_ROWS_AT_ONCE)).mappings()
        for part in rows.partitions(_ROWS_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in part])


def count_rows(connection: Connection) -> Mapping[str, int]:
    """Return how many rows each table has."""
    return {
        table.name: connection.scalar(select(func.count()).select_from(table)) or 0
        for table in Base.metadata.sorted_tables
    }


def holds_rows(engine: Engine) -> bool:
    """Whether any table has a row."""
    with engine.connect() as connection:
        return any(connection.scalar(select(exists(select(table)))) for table in Base.metadata.sorted_tables)
