"""Old scores beside new ones: rows, what they add up to, and what a program or a spreadsheet reads of them; no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from broker_setup.archive.scores import Score
from broker_setup.operator.console import iso

# What a spreadsheet takes for a formula, where a cell begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Row(Struct, frozen=True):
    """One submission; `new` is None where nothing was found yet."""

    submission: str
    submitted_at: float
    student: str
    url: str
    old: Score
    new: Score | None

    @property
    def difference(self) -> float | None:
        """By how much the new score is above the old one; None where one of them is missing."""
        if self.new is None or self.new.score is None or self.old.score is None:
            return None
        # As people read it: no sum of binary fractions.
        return round(self.new.score - self.old.score, 6)

    @property
    def is_changed(self) -> bool:
        """Whether somebody has to look at it: another score, or none where there was one, or the other way round."""
        return self.new is not None and (self.difference != 0 if self.difference is not None else self._only_one)

    @property
    def _only_one(self) -> bool:
        return self.new is not None and (self.new.score is None) != (self.old.score is None)

    @property
    def note(self) -> str:
        """Why a score is missing; "" where both are there."""
        old = f"before: {self.old.note}" if self.old.note else ""
        new = "nothing was found yet" if self.new is None else self.new.note
        return "; ".join(filter(None, (old, f"now: {new}" if new else "")))


class Summary(Struct, frozen=True):
    """How many rows there are of each kind; means of those that have both scores, None where none has."""

    submissions: int
    regraded: int
    changed: int
    up: int
    down: int
    same: int
    without_score: int
    mean_old: float | None
    mean_new: float | None
    mean_difference: float | None


def summary_of(rows: Sequence[Row]) -> Summary:
    """Add rows up."""
    both = [(row.old.score or 0.0, row.new.score or 0.0) for row in rows if row.new and row.difference is not None]
    differences = [row.difference for row in rows if row.difference is not None]
    return Summary(
        submissions=len(rows),
        regraded=sum(row.new is not None for row in rows),
        changed=sum(row.is_changed for row in rows),
        up=sum(each > 0 for each in differences),
        down=sum(each < 0 for each in differences),
        same=sum(each == 0 for each in differences),
        without_score=sum(row.new is not None and row.difference is None for row in rows),
        mean_old=_mean(old for old, _ in both),
        mean_new=_mean(new for _, new in both),
        mean_difference=_mean(differences),
    )


def as_dict(row: Row) -> dict[str, Any]:
    """Make a row's JSON; its keys are also the columns of the CSV."""
    new = row.new or Score()
    return {
        "submission": row.submission,
        "submitted_at": iso(row.submitted_at),
        "student": row.student,
        "callback_url": row.url,
        "old_score": row.old.score,
        "new_score": new.score,
        "difference": row.difference,
        "old_correct": row.old.correct,
        "new_correct": new.correct,
        "note": row.note,
    }


def cells_of(row: Row) -> Mapping[str, str]:
    """Make a row's cells for a spreadsheet: a text that would be a formula there is made a text."""
    return {name: _cell(value) for name, value in as_dict(row).items()}


COLUMNS = tuple(as_dict(Row("", 0.0, "", "", Score(), None)))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 6) if found else None
