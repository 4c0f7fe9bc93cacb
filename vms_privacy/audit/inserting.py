"""Inserting without the price of making a statement each time: the audit writes more rows than anything else here."""

from collections.abc import Sequence

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.orm import Session

from vms_privacy.group_commit import insert_gathered

Value = bytes | str | int | None


class PlainInsert:
    """One INSERT, written out once. Values go to the driver as they are, in the order of the table's columns."""

    def __init__(self, table: Table, dialect: Dialect, without: str = "") -> None:
        self._columns = [column.name for column in table.columns if column.name != without]
        statement = insert(table).inline().compile(dialect=dialect, column_keys=self._columns)
        self._sql = str(statement)
        self._by_name = not statement.positional

    def into(self, session: Session, rows: Sequence[tuple[Value, ...]]) -> None:
        """Insert rows, at least one; a group commit gathers them until its end."""
        insert_gathered(session, self, rows)

    def insert(self, connection: Connection, rows: Sequence[tuple[Value, ...]]) -> None:
        if self._by_name:
            connection.exec_driver_sql(self._sql, [dict(zip(self._columns, row, strict=True)) for row in rows])
        else:
            connection.exec_driver_sql(self._sql, rows[0] if len(rows) == 1 else list(rows))
