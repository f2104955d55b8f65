"""What every attack works with, and how long it goes on."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any

import aio_pika
import aiohttp

from bench.attack.bystander import HOSTILE
from bench.attack.target import Account, Target
from broker_setup.topology import RESULTS_PARKED
from tests.support.passive import FakeGrader

_numbers = count(1)
CALL_SECONDS = 60.0
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Figure:
    """What an attack has measured beside what is measured of each; at most `most`, and `least` where it has one."""

    what: str
    value: float
    most: float
    unit: str = ""
    least: float | None = None

    def __str__(self) -> str:
        """Say it, with its bound."""
        bound = "" if self.least is not None else f" (at most {round(self.most, 2):g})"
        return f"{self.what}: {round(self.value, 2):g}{self.unit}{bound}"


@dataclass
class Arena:
    """A target, where its hostile callbacks go, a passive grader to speak through, and how much of everything.

    An attack goes on for `seconds`, with `kinds` of what there are many kinds of; `many` is how many of what comes at
    random.
    """

    target: Target
    lms: str
    passive: FakeGrader
    session: aiohttp.ClientSession
    seconds: float
    many: int
    kinds: int
    said: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    # How many results in all were published, each of which must be posted or parked in the end.
    conserved: int = 0

    def measured(self, what: str, value: float, *, most: float, unit: str = "") -> None:
        """Say what an attack has measured, and what it may be at most; seconds count as the machine lets them."""
        self.figures.append(Figure(what, value, most, unit))

    def of_all(self, what: str, number: int, of: int) -> None:
        """Say how many of a number it was that have to be all."""
        self.figures.append(Figure(what, number, of, f" of {of}", least=of))

    async def again(self, attack: Callable[[], Awaitable[object]]) -> int:
        """Attack again and again for as long as that is to go on, once at least; return how often."""
        end = monotonic() + self.seconds
        for rounds in count(1):
            await attack()
            if monotonic() > end:
                return rounds
        raise AssertionError

    def header(self, queue: str, url: str | None = None) -> str:
        """Make an LMS's header for a submission, with a callback URL of its own if none is given."""
        number = next(_numbers)
        url = url or f"{self.lms}{HOSTILE}{number}/score_update"
        return json.dumps({"lms_callback_url": url, "lms_key": f"hostile {number}", "queue_name": queue})

    async def submit(
        self, queue: str, body: str = "hostile", *, url: str | None = None, account: Account | None = None
    ) -> None:
        """Submit as P, or as another account; it must be taken, if not at once."""
        form = {"xqueue_header": self.header(queue, url), "xqueue_body": body}
        deadline = monotonic() + CALL_SECONDS
        while True:
            code, content = await self.call("POST", "submit/", account or self.target.producer, data=form)
            if not code:
                return
            if monotonic() > deadline:
                raise AttackError(f"a submission to {queue} was not taken: {content}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def submit_many(self, queue: str, number: int, url: Callable[[], str] | None = None) -> None:
        """Submit so many, 32 at a time."""
        left = iter(range(number))

        async def submitter() -> None:
            for _ in left:
                await self.submit(queue, url=url() if url else None)

        await asyncio.gather(*(submitter() for _ in range(32)))

    async def lease(self, url: str | None = None) -> str:
        """Have a lease of G's own; return its xqueue_header."""
        await self.submit(self.target.hostile_queue, url=url)
        return str((await self.take(self.target.hostile_queue, self.target.grader))["xqueue_header"])

    async def take(self, queue: str, account: Account, wait: int = 45) -> Any:
        """Lease the next submission of a queue, which must have one."""
        params = {"queue_name": queue, "wait": str(wait)}
        code, content = await self.call("GET", "get_submission/", account, params=params)
        if code:
            raise AttackError(f"there is nothing to grade: {content}")
        return json.loads(content)

    async def put(self, xqueue_header: str, reply: bytes, account: Account | None = None) -> tuple[int, Any]:
        """Hand in a reply as it is, as G or as another account."""
        body, content_type = multipart({"xqueue_header": xqueue_header.encode(), "xqueue_body": reply})
        return await self.call(
            "POST", "put_result/", account or self.target.grader, data=body, headers={"Content-Type": content_type}
        )

    def basic(self, account: Account | None) -> dict[str, str]:
        """Make the header of an account's password."""
        return {"Authorization": aiohttp.encode_basic_auth(*account)} if account else {}

    async def parked(self) -> int:
        """Count the parked results."""
        return await self.count(RESULTS_PARKED)

    async def count(self, queue: str) -> int:
        """Count what waits in a RabbitMQ queue."""
        async with await aio_pika.connect(self.target.broker_url) as connection:
            channel = await connection.channel()
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0

    async def call(self, method: str, call: str, account: Account | None, **options: Any) -> tuple[int, Any]:
        """Make a call; return return_code and content, or a status and its text where that is above 499."""
        headers = dict(options.pop("headers", {})) | self.basic(account)
        url = f"{self.target.url}/xqueue/{call}"
        if isinstance(options.get("data"), bytes):
            options["data"] = io.BytesIO(options["data"])  # sent in pieces
        async with (
            asyncio.timeout(CALL_SECONDS),
            self.session.request(method, url, headers=headers, allow_redirects=False, **options) as answer,
        ):
            text = await answer.text()
            if answer.status != 200:
                return answer.status, text
        envelope = json.loads(text)
        return envelope["return_code"], envelope["content"]


class AttackError(Exception):
    """What an attack needs could not be had: it says nothing of the target's strength."""


def multipart(fields: dict[str, bytes]) -> tuple[bytes, str]:
    """Make a form whose values stand there as they are."""
    parts = [
        b'--attack\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in fields.items()
    ]
    return b"".join(parts) + b"--attack--\r\n", "multipart/form-data; boundary=attack"
