"""docs/reference/rights.md shows the rights that the default settings give."""

import pytest

from broker_setup.rights import Below, BrokerUser, Names, Role, broker_users
from broker_setup.settings import Settings
from broker_setup.topology import submissions_queue
from tests.support.project import quoted, table_rows, text

PAGE = text("docs/reference/rights.md")
SETTINGS = Settings(xqueues={"matlab": None}, amqp_graders={"matlab-grader": ("matlab",)})
USERS = broker_users(SETTINGS.broker_users, SETTINGS.amqp_graders)
ROWS = {quoted(row[0])[0]: row for row in table_rows(PAGE.split("\n## ")[0])}


def shown(names: Names) -> str:
    return ", ".join(map(one_shown, names)) or "nothing"


def one_shown(name: str | Below) -> str:
    taken = sorted(name.taken) if isinstance(name, Below) else ()
    return f"`{name}`" + (f" but {' and '.join(f'`{submissions_queue(queue)}`' for queue in taken)}" if taken else "")


def test_every_user_has_a_row_and_every_row_is_a_user_in_the_codes_order() -> None:
    assert list(ROWS) == [user.name for user in USERS]
    assert set(SETTINGS.broker_users) == set(Role)


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_a_row_has_the_users_tags_and_rights(user: BrokerUser) -> None:
    _, tags, writes, reads, configures = ROWS[user.name]
    assert set(quoted(tags)) == user.tags
    assert writes == shown(user.rights.write)
    assert reads == shown(user.rights.read)
    assert configures == shown(user.rights.configure)
