"""A broker's refusal: its own words without a library's, and what helps."""

import pytest

from broker_setup.link.refusals import advice, broker_words, with_advice

LOGIN = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."
QUEUE = "ACCESS_REFUSED - read access to queue 'xqueue.results' in vhost '/' refused for user 'grader'"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"ConnectionClosedByBroker: (403) {LOGIN!r}", LOGIN),
        (f"(\"ConnectionClosedByBroker: (403) '{LOGIN}'\",)", LOGIN),
        (f'ChannelClosedByBroker: (403) "{QUEUE}"', QUEUE),
        ("Connection reset", "Connection reset"),
    ],
)
def test_the_brokers_own_words_are_taken_out(text: str, words: str) -> None:
    assert broker_words(text) == words


@pytest.mark.parametrize(
    ("words", "helps"),
    [
        (LOGIN, "user or password in AMQP_URL"),
        (QUEUE, "`xqueue-broker setup`"),
        ("ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused", "`xqueue-broker setup`"),
        ("NOT_ALLOWED - access to vhost '/' refused for user 'x'", "`xqueue-broker setup`"),
        ("NOT_FOUND - no queue 'x' in vhost '/'", "`xqueue-broker declare`"),
        ("NOT_ALLOWED - vhost nope not found", "AMQP_URL names a virtual host"),
    ],
)
def test_what_helps_is_said(words: str, helps: str) -> None:
    assert helps in (advice(words) or "")
    assert with_advice(words).startswith(f"{words.rstrip('.')}: ")


def test_of_other_words_nothing_is_known() -> None:
    assert with_advice("RESOURCE_LOCKED - queue 'x'") == "RESOURCE_LOCKED - queue 'x'"
