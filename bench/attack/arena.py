"""What every attack works with, and how long it goes on."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any

import aiohttp

from bench.attack.bystander import HOSTILE
from bench.attack.target import Account, Target
from tests.support.passive import FakeGrader

_numbers = count(1)
CALL_SECONDS = 120.0
PAUSE_SECONDS = 0.5


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

    async def again(self, attack: Callable[[], Awaitable[object]]) -> int:
        """Attack again and again for as long as that is to go on, once at least; return how often."""
        end = monotonic() + self.seconds
        for rounds in count(1):
            await attack()
            if monotonic() > end:
                return rounds
        raise AssertionError

    def header(self, queue: str) -> str:
        """Make an LMS's header for a submission with a callback URL of its own."""
        number = next(_numbers)
        url = f"{self.lms}{HOSTILE}{number}/score_update"
        return json.dumps({"lms_callback_url": url, "lms_key": f"hostile {number}", "queue_name": queue})

    async def submit(self, queue: str, body: str = "hostile") -> None:
        """Submit as P; it must be taken, if not at once."""
        form = {"xqueue_header": self.header(queue), "xqueue_body": body}
        deadline = monotonic() + CALL_SECONDS
        while True:
            code, content = await self.call("POST", "submit/", self.target.producer, data=form)
            if not code:
                return
            if monotonic() > deadline:
                raise AttackError(f"a submission to {queue} was not taken: {content}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def submit_many(self, queue: str, number: int) -> None:
        """Submit so many, 32 at a time."""
        left = iter(range(number))

        async def submitter() -> None:
            for _ in left:
                await self.submit(queue)

        await asyncio.gather(*(submitter() for _ in range(32)))

    async def lease(self) -> str:
        """Have a lease of G's own; return its xqueue_header."""
        await self.submit(self.target.hostile_queue)
        params = {"queue_name": self.target.hostile_queue, "wait": "20"}
        code, content = await self.call("GET", "get_submission/", self.target.grader, params=params)
        if code:
            raise AttackError(f"there is nothing to grade: {content}")
        return str(json.loads(content)["xqueue_header"])

    async def put(self, xqueue_header: str, reply: bytes) -> tuple[int, Any]:
        """Hand in a reply as it is, as G."""
        body, content_type = multipart({"xqueue_header": xqueue_header.encode(), "xqueue_body": reply})
        return await self.call(
            "POST", "put_result/", self.target.grader, data=body, headers={"Content-Type": content_type}
        )

    async def call(self, method: str, call: str, account: Account | None, **options: Any) -> tuple[int, Any]:
        """Make a call; return return_code and content, or a status and its text where that is above 499."""
        headers = dict(options.pop("headers", {}))
        if account:
            headers["Authorization"] = aiohttp.encode_basic_auth(*account)
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
