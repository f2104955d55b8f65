"""Row 12: a student's work that is a script, before a browser with a session; a login form of another site."""

import json
from http import HTTPStatus

from bench.attack.arena import Arena
from bench.attack.target import Account

SCRIPT = "</script><script>alert(document.cookie)</script>&amp;<img src=x onerror=alert(1)>"
MARKUP = b"<>&"
WANTED = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "default-src"}


async def scripts(arena: Arena) -> str:
    """Submit a script and look at each answer as a browser gets it; then log in from a page of another site."""
    raw, bare = 0, 0
    target = arena.target
    await arena.submit(target.hostile_queue, SCRIPT)
    answers = [
        await _raw(arena, "GET", f"get_submission/?queue_name={target.hostile_queue}&wait=20", target.grader),
        await _raw(arena, "GET", f"get_queuelen/?queue_name={SCRIPT.encode().hex()}%3Cscript%3E%26", target.grader),
        await _raw(arena, "POST", "put_result/", target.grader, xqueue_header=SCRIPT, xqueue_body=SCRIPT),
        await _raw(arena, "POST", "submit/", target.producer, xqueue_header=SCRIPT, xqueue_body=SCRIPT),
    ]
    for _, headers, body in answers:
        raw += sum(body.count(sign) for sign in (b"<", b">", b"&"))
        bare += any(value not in headers.get(name, "") for name, value in WANTED.items())
    arena.measured("raw <, > and & in answers", raw, most=0)
    arena.measured("answers without nosniff, no-store and a CSP", bare, most=0)
    # What was leased is the work as it was sent, spelled otherwise.
    leased = json.loads(json.loads(answers[0][2])["content"])
    arena.of_all("work that came unchanged", leased["xqueue_body"] == SCRIPT, 1)
    await arena.put(leased["xqueue_header"], b'{"correct": true, "score": 1, "msg": "x"}')
    username, password = target.producer
    foreign = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}
    form = {"username": username, "password": password}
    status, headers, _ = await _raw(arena, "POST", "login/", None, foreign, **form)
    taken = status != HTTPStatus.FORBIDDEN or "Set-Cookie" in headers
    arena.measured("logins from a page of another site", taken, most=0)
    return f"{len(answers)} answers"


async def _raw(
    arena: Arena, method: str, call: str, account: Account | None, more: dict[str, str] | None = None, **form: str
) -> tuple[int, dict[str, str], bytes]:
    """Make a call as it is; return status, headers and body as they came."""
    headers = arena.basic(account) | (more or {})
    url = f"{arena.target.url}/xqueue/{call}"
    async with arena.session.request(method, url, headers=headers, data=form or None, allow_redirects=False) as answer:
        return answer.status, dict(answer.headers), await answer.read()
