"""What settings that are right by themselves must have in common; no I/O."""

from collections.abc import Callable, Collection, Iterator, Mapping

from broker_setup.rights import service_names
from broker_setup.settings.passive_graders import grading_of, passive_graders
from broker_setup.settings.table import SettingsTable
from broker_setup.settings.user_settings import wrong_with_users

# The longest that a lease may last, too: a delivery is not held for longer.
LONGEST_HOLD_SECONDS = 12 * 3600


Rule = Callable[[SettingsTable], Iterator[str]]


def disagreements(settings: SettingsTable, *, wrong: Collection[str] = ()) -> Iterator[str]:
    """Say of all settings that do not agree why not; but of those that are `wrong` by themselves nothing can be said.

    These are names of fields, whose values count for nothing.
    """
    for keys, rule in _RULES.items():
        if not set(wrong) & set(keys):
            yield from rule(settings)


def _rungs(settings: SettingsTable) -> Iterator[str]:
    if not settings.retry_delays:
        yield "RETRY_DELAYS must name at least one delay in seconds"


def _ledger(settings: SettingsTable) -> Iterator[str]:
    if settings.ledger_max_age < settings.ledger_window:
        yield (
            f"LEDGER_MAX_AGE is {settings.ledger_max_age} s: must be LEDGER_WINDOW ({settings.ledger_window:g} s) or "
            "more, or what gateways read at start is gone before that"
        )


def _holds(settings: SettingsTable) -> Iterator[str]:
    for queue in passive_graders(settings):
        grading = grading_of(settings, queue)
        longest = sum(grading.retry_delays) + grading.timeout * (len(grading.retry_delays) + 1)
        if longest > LONGEST_HOLD_SECONDS:
            yield (
                f"GRADING_TIMEOUT for each try and GRADING_RETRY_DELAYS add up to {longest:g} s "
                f"for the queue {queue!r}: must be {LONGEST_HOLD_SECONDS} or less"
            )


def _users(settings: SettingsTable) -> Iterator[str]:
    return wrong_with_users(
        settings.xqueues,
        settings.amqp_graders,
        service_names(settings.service_users).values(),
        settings.broker_passwords,
    )


def _issuers(settings: SettingsTable) -> Iterator[str]:
    keys = settings.jwt_public_jwks or settings.jwt_public_jwks_file or settings.jwt_secret_key
    if keys and not settings.jwt_issuers:
        yield "JWT_ISSUERS must name who issues the tokens that JWT_* keys are for"


def _secrets(settings: SettingsTable) -> Iterator[str]:
    if settings.jwt_secret_key and settings.jwt_secret_key in (settings.secret_key, *settings.secret_key_fallbacks):
        yield "JWT_SECRET_KEY must not be SECRET_KEY: whoever issues tokens would know it"


def _lists(settings: SettingsTable) -> Iterator[str]:
    # A slip of the fingers would leave a queue open to everybody.
    wrong = [queue for queue in settings.queue_access if settings.xqueues and queue not in settings.xqueues]
    if wrong:
        yield (
            f"QUEUE_ACCESS names queues that XQUEUES doesn't have: {', '.join(map(repr, wrong))}; "
            f"it has {', '.join(map(repr, settings.xqueues))}"
        )


def _console(settings: SettingsTable) -> Iterator[str]:
    # A slip of the fingers would make somebody a viewer who is meant to act, or hide a queue.
    for name, rights in settings.console_roles.items():
        if name not in settings.console_accounts:
            yield f"CONSOLE_ROLES names {name!r}, which is not in CONSOLE_ACCOUNTS"
        wrong = [queue for queue in rights.queues or () if settings.xqueues and queue not in settings.xqueues]
        if wrong:
            yield f"CONSOLE_ROLES: {name!r} has queues that XQUEUES doesn't have: {', '.join(map(repr, wrong))}"


def _upstreams(settings: SettingsTable) -> Iterator[str]:
    for name, upstream in settings.upstreams.items():
        here = {each.queue for each in upstream.queues.values()}
        wrong = sorted(here - settings.xqueues.keys()) if settings.xqueues else []
        if wrong:
            yield f"UPSTREAMS: {name!r} has queues that XQUEUES doesn't have: {', '.join(map(repr, wrong))}"


# Each with the fields that it reads.
_RULES: Mapping[tuple[str, ...], Rule] = {
    ("retry_delays",): _rungs,
    ("ledger_max_age", "ledger_window"): _ledger,
    ("xqueues", "queue_options", "grading_timeout", "grading_retry_delays"): _holds,
    ("xqueues", "amqp_graders", "service_users", "broker_passwords"): _users,
    ("jwt_public_jwks", "jwt_public_jwks_file", "jwt_secret_key", "jwt_issuers"): _issuers,
    ("jwt_secret_key", "secret_key", "secret_key_fallbacks"): _secrets,
    ("queue_access", "xqueues"): _lists,
    ("console_accounts", "console_roles", "xqueues"): _console,
    ("upstreams", "xqueues"): _upstreams,
}
