"""The call by which `xqueue-broker trace` asks for a submission; for who knows the SECRET_KEY."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from broker_setup.errors import ArgumentError, BrokerUnavailableError
from broker_setup.operator.trace.console_words import MAC_HEADER, MAX_BYTES, ConsoleWords
from broker_setup.operator.trace.history import Timeline
from gateway.console.known.known import Known
from gateway.console.known.query import parse
from gateway.console.known.wanted import Found, Wanted
from gateway.http.forms import FormLimits, read_body

MOST = 20
_LIMITS = FormLimits(fields=MAX_BYTES, file=0, files_total=0, files=0)


class TraceCall:
    """Answers the command line."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._words = ConsoleWords(known.settings.secrets)

    async def trace(self, request: Request) -> Response:
        """Tell all that is known of what is asked for."""
        async with read_body(request, _LIMITS) as body:
            question = self._words.read_question(bytes(body), request.headers.get(MAC_HEADER, "")[:200])
        if question is None:
            return Response(status_code=403)
        try:
            # What was written before is told, too.
            await self._known.following.ledger.barrier()
        except BrokerUnavailableError:
            return Response(status_code=503)
        if self._known.following.problem:
            return Response(status_code=503)
        timelines = await asyncio.to_thread(self._timelines, question.subject)
        answer, mac = self._words.answer(question, timelines)
        return Response(answer, media_type="application/msgpack", headers={MAC_HEADER: mac})

    def _timelines(self, subject: str) -> list[Timeline]:
        found = self._found(subject)
        if not all(self._known.index.is_whole(each.uuid) for each in found):
            return []  # so that who asks reads the ledger, where all of it stands
        known = (self._known.index.timeline(each.uuid) for each in reversed(found))
        return [timeline for timeline in known if timeline]

    def _found(self, subject: str) -> list[Found]:
        if "://" in subject:
            candidates = self._known.index.search(Wanted(url_parts=(subject,)), None, MOST)
            return [each for each in candidates if each.url == subject]
        try:
            wanted = parse(f"id:{subject}" if subject.isascii() and subject.isdigit() else subject)
        except ArgumentError:  # of the command line's words some mean something else in a search
            return []
        return [] if wanted.url_parts else self._known.index.search(wanted, None, MOST)
