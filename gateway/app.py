"""The whole gateway, put together: what there is, what depends on what, what runs beside the requests."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from broker_setup.ledger.ledger import Ledger
from broker_setup.ledger.state import LedgerState
from broker_setup.link.connection import Link, supervised
from broker_setup.link.essential import essential
from broker_setup.link.pauses import Pauses
from broker_setup.link.publisher import Publisher
from broker_setup.outbound.callback_check import CallbackCheck
from broker_setup.outbound.callback_urls import CallbackOrigins
from broker_setup.parking import Parking
from broker_setup.process.process_name import process_name
from broker_setup.settings import Settings
from broker_setup.topology import paused_queue
from broker_setup.upload_store import open_upload_store
from broker_setup.wire.reply_checker import ReplyChecker
from broker_setup.wire.return_address import Sealer
from broker_setup.wire.sealed_urls import UrlSeals
from gateway.callers.access import Access
from gateway.callers.accounts import Accounts
from gateway.callers.door import Door
from gateway.callers.lost_callers import LostCallers
from gateway.callers.sessions import Sessions
from gateway.callers.token_keys import keys_of
from gateway.callers.tokens import Tokens
from gateway.figures.gateway_figures import Figures, Reading
from gateway.http.answer_room import LARGEST_ANSWER_BYTES
from gateway.http.bulk_calls import BulkCalls
from gateway.http.call_counts import CallCount, CallCounts
from gateway.http.departure import Departure
from gateway.http.dialects import Dialects
from gateway.http.file_calls import FileCalls
from gateway.http.files import SubmittedFiles
from gateway.http.forms import FormLimits
from gateway.http.grader_calls import GraderCalls
from gateway.http.guarded_calls import GuardedCalls
from gateway.http.hot_calls import HotCalls
from gateway.http.lease_calls import LeaseCalls
from gateway.http.lms_calls import LmsCalls
from gateway.http.operation_calls import OperationCalls
from gateway.http.polls import Polls
from gateway.http.readiness import Readiness
from gateway.http.routes import application
from gateway.http.session_calls import SessionCalls
from gateway.http.shared_room import SharedRoom
from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.failures import Failures
from gateway.leasing.hearing_of_pauses import hear_of_pauses
from gateway.leasing.lease_changes import LeaseChanges, return_expired
from gateway.leasing.reply_check import ReplyCheck
from gateway.leasing.results import Results
from gateway.leasing.returns import Returns
from gateway.leasing.waiting_count import WaitingCount

log = logging.getLogger(__name__)

# What each of its connections to the broker is for.
USES = ("publishing", "consuming", "ledger", "asking")


def build(settings: Settings, departure: Departure) -> HotCalls:
    """Build the gateway; its connections and tasks live as long as the application runs, `departure` ends its polls.

    `rest.state.figures` of what is returned are its metrics.
    Raise SettingsError for keys of tokens, or a store of files, that can't be used.
    """
    # Under an alarm the broker stops reading from connections that publish, and counts should go on; the ledger is read
    # on a third, so that a burst of it delays no delivery; and what callers make us ask is asked on a fourth, so that
    # no question can cost the holds.
    url, name = settings.amqp_url.get_secret_value(), process_name("xqueue-gateway", settings.port)
    publishing, consuming, reading, asking = links = [Link(url, f"{name} {use}") for use in USES]
    publisher = Publisher(publishing)
    sealer = Sealer(settings.secrets, settings.seal)
    ledger = Ledger(
        link=reading,
        publisher=publisher,
        state=LedgerState(),
        window=settings.ledger_window,
        name=name,
    )
    parking = Parking(
        publisher,
        sealer,
        settings.failure_message,
        ledger=ledger,
        grace_of=settings.notice_grace_of,
        standing=ledger.state.standing,
    )
    returns, pauses = Returns(), Pauses(asking, paused_queue)
    queues = {
        queue: CourseQueue(
            queue,
            link=consuming,
            ledger=ledger,
            sealer=sealer,
            parking=parking,
            returns=returns,
            pauses=pauses,
            processing_delay=settings.processing_delay_of(queue),
            max_attempts=settings.max_attempts,
        )
        for queue in settings.xqueues
    }
    ledger.on_gone(lambda queue, submission: queues[queue].held.gone(submission) if queue in queues else None)
    ledger.on_applied(hear_of_pauses(ledger, queues))
    checker = ReplyChecker(settings.max_reply_size)
    failures = Failures(
        consuming,
        publisher=publisher,
        ledger=ledger,
        parking=parking,
        checker=checker,
        max_attempts=settings.max_attempts,
    )
    counts = WaitingCount(asking, queues, ledger.state)
    check = ReplyCheck(ledger, sealer, checker, again=settings.repeated_refusal_attempts)
    results = Results(ledger, publisher, check if settings.validate_results else None)
    polls = Polls(queues, settings.max_wait, departure)
    accounts = Accounts(settings.users, settings.secrets)
    access = Access(settings.queue_access)
    sessions, lost_callers = Sessions(accounts, settings.public_url), LostCallers()
    keys = keys_of(settings)
    tokens = Tokens(keys, issuers=settings.jwt_issuers, audience=settings.jwt_audience) if keys else None
    files = SubmittedFiles(
        open_upload_store(settings),
        settings.secrets,
        link_seconds=settings.upload_url_expire,
        at_once=settings.upload_concurrency,
    )
    limits = FormLimits(
        fields=settings.max_form_size,
        file=settings.max_file_size,
        files_total=settings.max_upload_size,
        files=settings.max_files,
        memory=SharedRoom(settings.max_forms_size),
        # One of the largest is always taken.
        disk=SharedRoom(max(settings.max_uploads_size, settings.max_upload_size), "MAX_UPLOADS_SIZE"),
    )

    answers = SharedRoom(max(settings.max_answers_size, LARGEST_ANSWER_BYTES), "MAX_ANSWERS_SIZE", "answers")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = {f"queue {queue.name}": queue.run() for queue in queues.values()} | {
            "ledger reader": ledger.read(),
            "ledger notes": ledger.write_notes(),
            "failed submissions": failures.run(),
            "expiry": return_expired(ledger.state, queues, results),
        }
        async with supervised(*links):
            async with essential(tasks):
                yield
            await ledger.flush()

    own = settings.own_services
    readiness = Readiness(
        links=(publishing, consuming, asking),
        asking=asking,
        publisher=publisher,
        ledger=ledger,
        queues=queues,
        notices=settings.notice_queues,
        departure=departure,
    )
    calls: CallCounts = CallCounts(CallCount)

    def read() -> Reading:
        return Reading(
            state=readiness.state,
            connections={use: link.is_up for use, link in zip(USES, links, strict=True)},
            calls=calls,
            polls_waiting=sum(queue.polls_waiting for queue in queues.values()),
            held=sum(queue.held_here for queue in queues.values()),
            unconfirmed=publisher.unconfirmed,
            ledger_lag=ledger.lag,
            ledger_is_caught_up=not ledger.problem,
            replay_seconds=ledger.replay_seconds,
            logins_refused=accounts.refused,
            logins_throttled=accounts.throttled,
        )

    app = application(
        dialects=Dialects(settings.dialects, settings.public_url),
        guard=GuardedCalls(Door(accounts, tokens, access, sessions=sessions, lost_callers=lost_callers), sessions),
        session=SessionCalls(accounts, sessions, lost_callers, settings.public_url),
        lms=LmsCalls(
            publisher=publisher,
            sealer=sealer,
            url_seals=UrlSeals(settings.secrets),
            ledger=ledger,
            files=files,
            counts=counts,
            queues=queues,
            limits=limits,
            public_url=settings.public_url,
            callbacks=CallbackCheck(CallbackOrigins(settings.callback_allowed_origins, own.behind), own.shared_origin),
            supersede_after=settings.supersede_after,
            is_producer=access.is_producer,
        ),
        grader=GraderCalls(queues=queues, polls=polls, counts=counts, results=results, limits=limits),
        bulk=BulkCalls(polls=polls, results=results, limits=limits),
        lease=LeaseCalls(LeaseChanges(ledger, settings.max_processing_delay_of, returns)),
        files=FileCalls(files, redirect=settings.upload_redirect),
        operation=OperationCalls(readiness),
        answers=answers,
        counts=calls,
        lifespan=lifespan,
    )
    app.rest.state.figures = Figures(read)
    return app
