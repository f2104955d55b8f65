"""The whole gateway, put together: what there is, what depends on what, what runs beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from broker_setup.connection import Link, supervised
from broker_setup.publisher import Publisher
from broker_setup.return_address import Sealer
from broker_setup.settings import Settings
from gateway.accounts import Accounts
from gateway.files import FileStore
from gateway.http.file_calls import FileCalls
from gateway.http.forms import FormLimits
from gateway.http.grader_calls import GraderCalls
from gateway.http.health_calls import HealthCalls
from gateway.http.lms_calls import LmsCalls
from gateway.http.routes import application
from gateway.http.session_calls import SessionCalls
from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.expiry import return_expired
from gateway.leasing.leases import Leases
from gateway.leasing.results import Results
from gateway.leasing.waiting_count import WaitingCount
from gateway.readiness import Readiness

log = logging.getLogger(__name__)


def build(settings: Settings) -> Starlette:
    """Build the gateway; its connections and tasks live as long as the application runs."""
    # Two connections: under an alarm the broker stops reading from those that publish, and polls should go on.
    url = settings.amqp_url.get_secret_value()
    publishing, consuming = Link(url, "xqueue-gateway publishing"), Link(url, "xqueue-gateway consuming")
    publisher = Publisher(publishing)
    leases = Leases()
    queues = {
        name: CourseQueue(name, consuming, leases, processing_delay=settings.submission_processing_delay * 60)
        for name in settings.xqueues
    }
    counts = WaitingCount(consuming, queues)
    results = Results(leases, queues, publisher)
    accounts = Accounts(settings.users, settings.secrets)
    files = FileStore(settings.upload_path, settings.secrets, link_seconds=settings.upload_url_expire)
    limits = FormLimits(
        fields=settings.max_form_size,
        file=settings.max_file_size,
        files_total=settings.max_upload_size,
        files=settings.max_files,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with supervised(publishing, consuming), asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(queue.run(), name=f"queue {queue.name}") for queue in queues.values()]
            running.append(tasks.create_task(return_expired(leases, queues), name="expiry"))
            yield
            for task in running:
                task.cancel()

    return application(
        accounts=accounts,
        session=SessionCalls(accounts),
        lms=LmsCalls(
            publisher=publisher,
            sealer=Sealer(settings.secrets),
            files=files,
            counts=counts,
            queues=frozenset(queues),
            limits=limits,
            public_url=settings.public_url,
        ),
        grader=GraderCalls(queues=queues, counts=counts, results=results, limits=limits),
        files=FileCalls(files),
        health=HealthCalls(
            Readiness(publishing=publishing, consuming=consuming, publisher=publisher, queues=queues),
        ),
        lifespan=lifespan,
    )
