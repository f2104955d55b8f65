"""Does good work beside an attack, in a process of its own, and says how long each step of it took.

`python -m bench.attack.bystander`: its first line says where its LMS and its passive grader are; then it reads a line
that says what to work with (`Work` as JSON), and prints one JSON line for each step until it is killed.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from itertools import count
from time import monotonic
from typing import Any

import aiohttp

from tests.support.lms import Answer, Callback, FakeLMS, running_lms
from tests.support.passive import running_grader

REPLY = '{"correct": true, "score": 1, "msg": "<p>Good job!</p>"}'
# Callbacks to such a path are an attack's, and are told of as they come.
HOSTILE = "/hostile/"
PROBE_SECONDS = 0.1
# So that it is no load itself: some ten rounds in a second.
PAUSE_SECONDS = 0.2
CALL_SECONDS = 60.0


@dataclass(frozen=True)
class Work:
    """What to work with: accounts are (name, password); `bare` is a server that does nothing, to know the machine."""

    url: str
    bare: str
    lms: tuple[str, str]
    grader: tuple[str, str]
    queue: str
    called: str | None = None


@dataclass(frozen=True)
class Step:
    """What was done: probes, calls, and deliveries; `at` (monotonic) is its beginning, `took` are seconds."""

    what: str
    at: float
    took: float = 0.0
    key: str = ""
    wrong: str = ""


def tell(step: Step) -> None:
    """Print a step."""
    print(json.dumps(asdict(step)), flush=True)


class Bystander:
    """An LMS and its graders."""

    def __init__(self, work: Work, lms: FakeLMS, session: aiohttp.ClientSession) -> None:
        """Work with `session`."""
        self._work = work
        self._lms = lms
        self._session = session
        self._numbers = count()
        self._handed: dict[str, float] = {}
        lms.answer = self._come

    async def run(self) -> None:
        """Go on until killed."""
        loops = [self._probe("healthz", f"{self._work.url}/healthz"), self._probe("bare", self._work.bare)]
        loops += [self._pull(), self._pull()]
        if self._work.called:
            loops.append(self._be_called(self._work.called))
        await asyncio.gather(*loops)

    async def _probe(self, what: str, url: str) -> None:
        """Ask on a connection of its own each time, as a probe does."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            while True:
                await self._timed(what, lambda: session.get(url))
                await asyncio.sleep(PROBE_SECONDS)

    async def _pull(self) -> None:
        while True:
            await self._submit(self._work.queue)
            taken = await self._call("take", "GET", "get_submission/", self._work.grader, queue=self._work.queue)
            if taken is not None:
                header = taken["xqueue_header"]
                key = taken["xqueue_body"]
                self._handed[key] = monotonic()
                form = {"xqueue_header": header, "xqueue_body": REPLY}
                if await self._call("put", "POST", "put_result/", self._work.grader, form=form) is not None:
                    tell(Step("handed", monotonic(), key=key))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _be_called(self, queue: str) -> None:
        while True:
            if key := await self._submit(queue):
                tell(Step("handed", monotonic(), key=key))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _submit(self, queue: str) -> str:
        key = f"{queue} {next(self._numbers)}"
        header = self._lms.header(key, path=f"/good/{key.replace(' ', '/')}/score_update", queue=queue)
        self._handed[key] = monotonic()
        form = {"xqueue_header": header, "xqueue_body": key}
        taken = await self._call("submit", "POST", "submit/", self._work.lms, form=form)
        return "" if taken is None else key

    async def _call(
        self, what: str, method: str, call: str, account: tuple[str, str], *, queue: str = "", form: Any = None
    ) -> Any:
        """Make a call; return its content, None where it was not served."""
        options = {
            "params": {"queue_name": queue, "wait": "20"} if queue else None,
            "data": form,
            "headers": {"Authorization": aiohttp.encode_basic_auth(*account)},
        }
        url = f"{self._work.url}/xqueue/{call}"
        text = await self._timed(what, lambda: self._session.request(method, url, **options))
        envelope: Any = json.loads(text) if text else {"return_code": 1}
        if envelope["return_code"] != 0:
            return None
        return json.loads(envelope["content"]) if queue else envelope["content"]

    async def _timed(self, what: str, request: Any) -> str:
        """Make a request, tell of it, and return what was answered; "" for what is no answer."""
        began = monotonic()
        text, wrong = "", ""
        try:
            async with asyncio.timeout(CALL_SECONDS), request() as answer:
                text = await answer.text()
                if answer.status >= 500:
                    wrong, text = f"{answer.status} {text[:100]}", ""
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            wrong = repr(error)
        tell(Step(what, began, monotonic() - began, wrong=wrong))
        return text

    def _come(self, callback: Callback) -> Answer:
        path = callback.path
        if path.startswith(HOSTILE):
            tell(Step("hostile", monotonic(), key=path))
        else:
            began = self._handed.pop(callback.lms_key, callback.at)
            tell(Step("delivered", began, callback.at - began, key=callback.lms_key))
        return Answer()


async def _main() -> None:
    async with running_lms() as lms, running_grader() as grader:
        grader.says(REPLY.encode())
        print(json.dumps({"lms": lms.origin, "grader": grader.url}), flush=True)
        line: Any = await asyncio.to_thread(sys.stdin.readline)
        said = json.loads(line)
        work = Work(**said | {"lms": tuple(said["lms"]), "grader": tuple(said["grader"])})
        async with aiohttp.ClientSession() as session:
            await Bystander(work, lms, session).run()


if __name__ == "__main__":
    asyncio.run(_main())
