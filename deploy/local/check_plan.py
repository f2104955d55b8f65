"""Which queue the self-check goes through, and as whom: one account that may hand in, one that may take; no I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker_setup.settings import Settings
from broker_setup.settings.access_settings import QueueAccess
from deploy.local.environment import QUEUE


@dataclass(frozen=True)
class Login:
    """An account and its password."""

    account: str
    password: str


@dataclass(frozen=True)
class Plan:
    """What the check goes through."""

    queue: str
    producer: Login
    consumer: Login


def plan(settings: Settings) -> Plan | str:
    """Choose; or say why there is nothing to choose."""
    pulled = [name for name, grader in settings.xqueues.items() if grader is None]
    plain = {name: secret.get_secret_value() for name, secret in settings.users.items()}
    logins = [Login(name, password) for name, password in plain.items() if not password.startswith("$")]
    if not pulled:
        return "no queue that graders poll is configured"
    if not logins:
        return "no account with a plain password is configured"
    if settings.callback_allowed_origins is not None:
        return "CALLBACK_ALLOWED_ORIGINS lists your LMSs, and lets no callback come here"
    # The sort is stable: after that queue they stay in the order of the settings.
    pulled.sort(key=lambda queue: queue != QUEUE)
    plans = (each for queue in pulled for each in _plans(queue, settings.queue_access.get(queue), logins))
    return next(plans, "QUEUE_ACCESS lets no account with a plain password hand in, and one take, at the same queue")


def _plans(queue: str, access: QueueAccess | None, logins: Sequence[Login]) -> Iterator[Plan]:
    producers, consumers = (access.producers, access.consumers) if access else (None, None)
    may_hand_in = [login for login in logins if producers is None or login.account in producers]
    may_take = [login for login in logins if consumers is None or login.account in consumers]
    # One that may do both first: that is how it was before there were lists.
    both = [login for login in may_hand_in if login in may_take]
    if both:
        yield Plan(queue, both[0], both[0])
    elif may_hand_in and may_take:
        yield Plan(queue, may_hand_in[0], may_take[0])
