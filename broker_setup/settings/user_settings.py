"""What the settings say about the broker's users: which names will do, and whether they agree with each other."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator

# A message carries its publisher's name as a short string.
_USER_NAME_BYTES = 255


def _user_name(name: str) -> str:
    # "." and ".." would be steps in the path of the management API's URLs.
    if not name.isprintable() or name.strip() != name or name in {"", ".", ".."}:
        raise ValueError(f"the user name {name!r} is empty, or has blanks around it or unprintable characters")
    if len(name.encode()) > _USER_NAME_BYTES:
        raise ValueError(f"the user name {name!r} is longer than {_USER_NAME_BYTES} bytes")
    return name


UserName = Annotated[str, AfterValidator(_user_name)]


def wrong_with_users(
    queues: Collection[str],
    graders: Mapping[str, Collection[str]],
    services: Iterable[str],
    passwords: Iterable[str],
) -> Iterator[str]:
    """Say of each what does not agree; `services` are the other users' names."""
    for grader, its_queues in graders.items():
        if not its_queues:
            yield f"AMQP_GRADERS: {grader!r} has no queue: name one, or leave it out"
        for queue in its_queues:
            if queue not in queues:
                yield (
                    f"AMQP_GRADERS: {grader!r} has the queue {queue!r}, which is not in XQUEUES{_guess(queue, queues)}"
                )
    names = [*services, *graders]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"AMQP_GRADERS, SERVICE_USERS: each user is for one thing, but {name!r} is for two"
    for name in passwords:
        if name not in names:
            yield f"BROKER_PASSWORDS: {name!r} is neither in AMQP_GRADERS nor a service's user{_guess(name, names)}"
    return None


def _guess(word: str, words: Collection[str]) -> str:
    close = difflib.get_close_matches(word, sorted(words), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
