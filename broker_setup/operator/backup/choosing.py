"""Which of what an export has met counts, and what the ledger's end says that agrees with it; no I/O.

An export looks at one queue after the other while all goes on: a submission may be met in its queue, and its result a
moment later. Of each the farthest form counts, and none of what has reached the LMS meanwhile.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from broker_setup.ledger.events import Acted, AnyEvent, Expired, Extended, Graded, Leased, Released, Submitted
from broker_setup.operator.backup.captured import Captured, Form
from broker_setup.operator.backup.under_way import UnderWay

_OF_WORK = (Submitted, Leased, Extended, Released, Expired)


@dataclass(frozen=True)
class Chosen:
    """Which lines of each queue's file count, as what each submission is there, and which have ended."""

    lines: Mapping[str, set[int]]
    forms: Mapping[bytes, Form]
    ended: Container[bytes]

    def told(self, event: AnyEvent) -> AnyEvent | None:
        """Put an event, written since the export began, so that it agrees with what is exported; None: not at all.

        What waits here was graded, parked or superseded later, and will be once more. A grader that handed it in does
        not come again, and nobody is to wait for the end of its lease: it is told as one that gave it back.
        """
        if isinstance(event, Acted) or event.submission in self.ended:
            return event
        match self.forms.get(event.submission):
            case None | Form.NOTICE:
                return None
            case Form.WORK if isinstance(event, Graded):
                return Released(event.at, event.submission, event.key, available_at=event.at, failed=False)
            case Form.WORK:
                return event if isinstance(event, _OF_WORK) else None
        return event


def choose(met: Sequence[Captured], under_way: UnderWay) -> Chosen:
    """Choose from what was met, in the order in which it was; `under_way` knows what ended meanwhile."""
    present = {each.uuid for each in met if each.uuid and each.form is not Form.NOTICE}
    ended = under_way.delivered | under_way.left
    ended |= {old for old, by in under_way.superseded.items() if by in present or by in ended}
    newest = {each.identity: each for each in met}
    by_uuid: dict[bytes, list[Captured]] = defaultdict(list)
    lines: dict[str, set[int]] = defaultdict(set)
    for each in newest.values():
        if each.uuid:
            by_uuid[each.uuid].append(each)
        else:
            lines[each.queue].add(each.line)
    forms = {}
    for uuid, all_forms in by_uuid.items():
        if uuid in under_way.delivered:
            continue
        kept = _kept(all_forms, is_gone=uuid in ended)
        if kept:
            forms[uuid] = kept[0].form
        for each in kept:
            lines[each.queue].add(each.line)
    return Chosen(lines, forms, ended)


def _kept(of_one: Iterable[Captured], *, is_gone: bool) -> list[Captured]:
    """Keep of one submission what stands farthest, its notice if it still waits for that, and what may be a result."""
    by_rank: dict[tuple[bool, int, bool], list[Captured]] = defaultdict(list)
    notices, unread = [], []
    for each in of_one:
        match each.form:
            case Form.NOTICE:
                notices.append(each)
            case Form.UNREAD:
                unread.append(each)
            case _:
                by_rank[each.form is Form.RESULT, each.redriven, each.form is Form.PARKED].append(each)
    if is_gone or not by_rank:
        return unread + notices
    farthest = by_rank[max(by_rank)]
    return farthest + unread + (notices if farthest[0].form is Form.PARKED else [])
