"""Asks a console for a submission's timeline, which it has in memory: milliseconds in place of a scan of the ledger."""

from http import HTTPStatus

import requests

from broker_setup.operator.trace.console_words import MAC_HEADER, PATH, ConsoleWords
from broker_setup.operator.trace.history import Timeline
from broker_setup.settings import Settings

CONNECT_SECONDS, ANSWER_SECONDS = 1.0, 5.0


def told_by_console(settings: Settings, subject: str) -> list[Timeline]:
    """Return the timelines that a console knows; empty where there is none, or none that is up to date and ours."""
    if not settings.secrets:
        return []
    words = ConsoleWords(settings.secrets)
    question, body, mac = words.question(subject)
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy between our own services
            answer = session.post(
                f"{_place_of(settings)}{PATH}",
                data=body,
                headers={MAC_HEADER: mac, "content-type": "application/msgpack"},
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,
            )
    except requests.RequestException:
        return []
    if answer.status_code != HTTPStatus.OK:
        return []
    return words.read_answer(question, answer.content, answer.headers.get(MAC_HEADER, "")) or []


def _place_of(settings: Settings) -> str:
    if settings.console_url:
        return settings.console_url.rstrip("/")
    host = settings.console_host
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - what is compared, not listened on
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.console_port}"
