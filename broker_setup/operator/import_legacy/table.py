"""Reads the original's table, whatever database it is in; it is never written to.

The only code that knows SQLAlchemy, which is there with the extra `legacy` alone.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import create_engine, func, inspect, literal, select
from sqlalchemy import table as sql_table
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.sql import ColumnElement, column

from broker_setup.errors import ArgumentError
from broker_setup.operator.import_legacy.errors import LegacyDatabaseError
from broker_setup.operator.import_legacy.row import Row

# The two drivers of the extra.
DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg"}
TABLE = "queue_submission"
_COLUMNS = (
    "id",
    "queue_name",
    "xqueue_header",
    "xqueue_body",
    "s3_keys",
    "s3_urls",
    "arrival_time",
    "pull_time",
    "return_time",
    "pullkey",
    "grader_reply",
    "lms_ack",
    "retired",
)

# Of a row that does not say when it came: the same at each look.
UNKNOWN_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class LegacyTable:
    """The table, read in the order of its ids, which is that of arrival."""

    def __init__(self, url: str) -> None:
        """Open the database at a URL of SQLAlchemy's; raise ArgumentError or LegacyDatabaseError."""
        try:
            parsed = make_url(url)
            self._engine = create_engine(parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername)))
        except (UrlError, NoSuchModuleError, ModuleNotFoundError, ValueError, TypeError) as error:
            raise ArgumentError(
                "DATABASE is no URL of a database that can be read: give mysql://user:password@host/name, "
                f"postgresql://... or sqlite:///file ({type(error).__name__})"
            ) from None
        if "@" in (parsed.host or ""):
            raise ArgumentError("DATABASE has a password with an @ in it: write that as %40, and other signs alike")
        if parsed.drivername.startswith("sqlite") and parsed.database and not Path(parsed.database).is_file():
            raise ArgumentError(f"DATABASE: there is no file {parsed.database}")
        self._table = sql_table(TABLE, *map(column, _COLUMNS))
        with self._connected() as connection:
            if not inspect(connection).has_table(TABLE):
                raise LegacyDatabaseError(f"the database has no table {TABLE}: is it the original's?")
            self.last_id = connection.execute(select(func.max(self._table.c.id))).scalar() or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def count(self, *, with_retired: bool) -> int:
        """Count the rows that `portions` yields."""
        asked = select(func.count()).select_from(self._table).where(self._wanted(with_retired=with_retired))
        with self._connected() as connection:
            return connection.execute(asked).scalar_one()

    def portions(self, size: int, *, with_retired: bool, with_work: bool = True) -> Iterator[Sequence[Row]]:
        """Yield the rows, so many at a time; those that come meanwhile are left out.

        Without the work each has an empty body, and of its reply the first character.
        """
        row_id, after = self._table.c.id, -1
        columns: list[ColumnElement[Any]] = list(self._table.c)
        if not with_work:
            columns = [each for each in self._table.c if each.name not in {"xqueue_body", "grader_reply"}]
            columns += [
                literal("").label("xqueue_body"),
                func.substr(self._table.c.grader_reply, 1, 1).label("grader_reply"),
            ]
        asked = select(*columns).where(self._wanted(with_retired=with_retired)).order_by(row_id).limit(size)
        while True:
            with self._connected() as connection:
                found = connection.execute(asked.where(row_id > after)).mappings().all()
            if not found:
                return
            after = found[-1]["id"]
            yield [self._row(each) for each in found]

    def _wanted(self, *, with_retired: bool) -> ColumnElement[bool]:
        known = self._table.c.id <= self.last_id
        # PostgreSQL's flag is a boolean, that of the others a number: this all three take.
        return known if with_retired else known & ~self._table.c.retired.is_(True)

    def _row(self, found: Any) -> Row:
        return Row(
            id=found["id"],
            queue=_text(found["queue_name"]),
            header=_text(found["xqueue_header"]),
            body=_text(found["xqueue_body"]),
            file_keys=_text(found["s3_keys"]),
            file_urls=_text(found["s3_urls"]),
            arrived_at=_utc(found["arrival_time"]) or UNKNOWN_TIME,
            pulled_at=_utc(found["pull_time"]),
            returned_at=_utc(found["return_time"]),
            pull_key=_text(found["pullkey"]),
            reply=_text(found["grader_reply"]),
            is_acknowledged=bool(found["lms_ack"]),
            is_retired=bool(found["retired"]),
        )

    def _connected(self) -> "_Connected":
        return _Connected(self._engine)


class _Connected:
    """A connection for a block, whose errors are one sentence without the password."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def __enter__(self) -> Connection:
        try:
            self._connection = self._engine.connect()
        except TypeError as error:  # a driver's, of what stands behind the ? of a URL
            raise ArgumentError(f"DATABASE has an option that its driver does not know: {error}") from None
        except SQLAlchemyError as error:
            raise _as_ours(error) from None
        assert self._connection is not None
        return self._connection

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        assert self._connection is not None
        self._connection.close()
        if isinstance(error, SQLAlchemyError):
            raise _as_ours(error) from None


def _as_ours(error: SQLAlchemyError) -> LegacyDatabaseError:
    # The library's own text has the statement in it, over several lines.
    # MySQL's driver has a number before its words.
    cause = getattr(error, "orig", None) or error
    said = str(cause.args[-1] if cause.args else cause).split("\n", maxsplit=1)[0]
    return LegacyDatabaseError(f"the original's database can't be read: {said}")


def _text(found: str | bytes | None) -> str:
    """Read a text, which some databases have as bytes, and old rows not at all."""
    return found.decode(errors="replace") if isinstance(found, bytes) else found or ""


def _utc(found: datetime | str | None) -> datetime | None:
    """Read a time, which the original keeps in UTC without saying so; SQLite has it as text, MySQL some zeros."""
    try:
        read = datetime.fromisoformat(found) if isinstance(found, str) else found
    except ValueError:
        return None
    if read is None:
        return None
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
