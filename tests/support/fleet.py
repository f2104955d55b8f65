"""Many LMS requests and many graders at once, over real HTTP: they keep going while what they talk to is killed."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import aiohttp

from tests.support.gateway import USERS
from tests.support.hand_outs import HandOut

# What a grader waits after an error before it tries again, as a patient client would.
PAUSE_SECONDS = 0.1
# What goes wrong while a gateway or the broker behind it is away.
AWAY = (aiohttp.ClientError, TimeoutError, ConnectionError)


@dataclass
class Fleet:
    """Clients of one or more gateways, and what they saw."""

    urls: list[str]
    session: aiohttp.ClientSession
    handed_out: Counter[int] = field(default_factory=Counter)  # how often each submission_id was leased to somebody
    taken: Counter[int] = field(default_factory=Counter)  # how often a result of it was answered 0
    refused: Counter[str] = field(default_factory=Counter)  # answers to put_result other than 0
    hand_outs: dict[str, HandOut] = field(default_factory=dict)  # by the xqueue_header that the grader got

    async def call(self, method: str, call: str, url: str | None = None, **options: Any) -> tuple[int, Any]:
        """Make a call; raise one of AWAY if it got no answer or a 503."""
        async with self.session.request(method, f"{url or self.urls[0]}/xqueue/{call}", **options) as answer:
            if answer.status == 503:
                raise aiohttp.ClientError(await answer.text())
            envelope = json.loads(await answer.read())
            return envelope["return_code"], envelope["content"]

    async def submit_all(self, lms_headers: list[str], *, at_once: int = 16) -> list[str]:
        """Submit each header once, with itself as the body; return those that were answered 0."""
        accepted: list[str] = []
        todo = iter(lms_headers)

        async def submitter() -> None:
            for header in todo:
                data = {"xqueue_header": header, "xqueue_body": header}
                try:
                    code, content = await self.call("POST", "submit/", data=data)
                except AWAY:
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                assert code == 0, content
                accepted.append(header)

        await asyncio.gather(*(submitter() for _ in range(at_once)))
        return accepted

    async def take(self, queue: str = "openedx", url: str | None = None, wait: float = 1) -> dict[str, Any] | None:
        """Take a submission, or None."""
        parameters = {"queue_name": queue, "wait": str(wait)}
        asked = monotonic()
        code, content = await self.call("GET", "get_submission/", url, params=parameters)
        if code == 1:
            return None
        submission: dict[str, Any] = json.loads(content)
        number = json.loads(submission["xqueue_header"])["submission_id"]
        self.handed_out[number] += 1
        self.hand_outs[submission["xqueue_header"]] = HandOut(number, asked, monotonic())
        return submission

    async def put(self, submission: dict[str, Any], reply: str, url: str | None = None) -> bool:
        """Hand in a result, trying again while nobody answers; say whether it was taken."""
        data = {"xqueue_header": submission["xqueue_header"], "xqueue_body": reply}
        hand_out = self.hand_outs[submission["xqueue_header"]]
        while True:
            try:
                code, content = await self.call("POST", "put_result/", url, data=data)
            except AWAY as error:
                hand_out.tried(monotonic(), f"{type(error).__name__} {error}")
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            hand_out.answered(monotonic(), code, content)
            if code == 0:
                self.taken[json.loads(submission["xqueue_header"])["submission_id"]] += 1
            else:
                self.refused[content] += 1
            return code == 0

    async def grade_until(
        self,
        done: Callable[[], bool],
        *,
        graders: int = 16,
        queue: str = "openedx",
        thinking: float = 0,
        urls: Sequence[str] = (),
    ) -> None:
        """Let that many graders, each stuck to one gateway, grade until `done()`; a reply is the body it answers.

        `thinking` is how long each takes for a submission (seconds), `urls` the gateways where not all of them.
        """
        urls = urls or self.urls

        async def grader(url: str) -> None:
            while not done():
                try:
                    submission = await self.take(queue, url)
                except AWAY:
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                if submission:
                    await asyncio.sleep(thinking)
                    await self.put(submission, reply_to(submission["xqueue_body"]), url)

        await asyncio.gather(*(grader(urls[number % len(urls)]) for number in range(graders)))


def reply_to(body: str) -> str:
    """Make a reply that shows which body was graded."""
    return json.dumps({"correct": True, "score": 1, "msg": "<p>Good job!</p>", "graded": body})


@asynccontextmanager
async def fleet(*urls: str) -> AsyncIterator[Fleet]:
    """Open a fleet on these gateways."""
    async with aiohttp.ClientSession(
        headers={"Authorization": aiohttp.encode_basic_auth("grader", USERS["grader"])},
        timeout=aiohttp.ClientTimeout(total=60),
        connector=aiohttp.TCPConnector(limit=100),
    ) as session:
        yield Fleet(list(urls), session)
