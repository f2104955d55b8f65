"""`xqueue-broker setup` on a real broker: the first time, again, after changes, and where it must not."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import quote, urlsplit

import pika
import pytest

from broker_setup.errors import ManagementError
from broker_setup.operator.management_api import Management
from broker_setup.operator.setup.declare import declare
from broker_setup.operator.setup.policy_plan import FAILED_TO_PARKED
from broker_setup.operator.setup.setup_command import setup
from broker_setup.rights import GRADER_LIMITS
from broker_setup.topology import SUBMISSIONS_FAILED, SUBMISSIONS_PARKED, topology
from tests.support.broker import VHost
from tests.support.broker_users import BrokerUsers, broker_users, call, may_log_in, refusal
from tests.support.gateway import wait_until
from tests.support.ledger import pika_channel
from tests.support.operator import Operator

ROLES = ["gateway", "relay", "passive", "broker", "operator"]


@pytest.fixture
def users(vhost: VHost) -> Iterator[BrokerUsers]:
    with broker_users(vhost, {"grader": ["openedx"]}) as made:
        yield made


def did(told: dict[str, list[dict[str, object]]], users: BrokerUsers) -> dict[str, object]:
    prefix = f"{users.vhost.name}-"
    return {str(user["name"]).removeprefix(prefix): user["did"] for user in told["users"]}


def run(users: BrokerUsers, *arguments: str, **settings: str) -> tuple[int, str, str]:
    ran = Operator(users.vhost.amqp_url).run("setup", *arguments, **(users.settings | settings))
    return ran.returncode, ran.stdout, ran.stderr


def test_the_first_time_everything_is_made_and_its_urls_work_and_again_nothing_is(users: BrokerUsers) -> None:
    code, stdout, _ = run(users, "--check")
    assert code == 1
    assert "is missing" in stdout
    assert users.vhost.api("GET", "queues/{vhost}").json() == []

    first = users.setup()
    assert did(first, users) == {who: ["made", "rights set"] for who in ROLES} | {
        "grader": ["made", "rights set", "limits set"]
    }
    limits = {entry["user"]: entry["value"] for entry in users.vhost.api("GET", "user-limits").json()}
    assert limits[users.name("grader")] == GRADER_LIMITS
    assert not {users.name(who) for who in ROLES} & limits.keys()
    for user in first["users"]:
        assert may_log_in(user["amqp_url"])

    again = users.setup()
    assert not any(did(again, users).values())
    assert not any("password" in user for user in again["users"])
    for user in first["users"]:
        assert may_log_in(user["amqp_url"])

    code, stdout, _ = run(users, "--check")
    assert code == 0
    assert "all exchanges, queues and bindings are there" in stdout


def test_nothing_is_made_as_long_as_fewer_nodes_run_than_there_are_to_be(users: BrokerUsers) -> None:
    code, _, stderr = run(users, "--nodes", "9")
    assert code == 1
    assert "of 9 nodes run" in stderr
    assert users.vhost.api("GET", "queues/{vhost}").json() == []


def test_for_people_it_shows_what_it_did_and_each_made_up_password_once(users: BrokerUsers) -> None:
    code, stdout, stderr = run(users)
    assert (code, stderr) == (0, "")
    lines = stdout.split("shown only now:\n")[1].splitlines()
    assert [line.split(":")[0] for line in lines] == [users.name(who) for who in [*ROLES, "grader"]]
    urls = {line.split(": ")[0]: line.split(": ")[1] for line in lines}
    assert may_log_in(urls[users.name("grader")])
    assert "at the management UI" in urls[users.name("operator")]
    _, stdout, _ = run(users)
    assert "shown only now" not in stdout
    assert "amqp://" not in stdout


def test_passwords_that_are_given_are_used_never_shown_and_changed_when_they_change(users: BrokerUsers) -> None:
    def url(password: str) -> str:
        where = users.vhost.amqp_url.rpartition("@")[2]
        return f"amqp://{users.name('grader')}:{quote(password, safe='')}@{where}"

    for password, what in (
        ("pä/ss 1", ["made", "rights set", "limits set"]),
        ("pä/ss 1", []),
        ("other", ["password set"]),
    ):
        code, stdout, stderr = run(users, "--json", BROKER_PASSWORDS=json.dumps({users.name("grader"): password}))
        assert code == 0, stderr
        assert did(json.loads(stdout), users)["grader"] == what
        assert password not in stdout + stderr
        assert may_log_in(url(password))
    assert not may_log_in(url("pä/ss 1"))


def test_a_rotated_password_ends_the_old_one_and_nobody_elses(users: BrokerUsers) -> None:
    before = users.set_up()
    told = users.setup("--rotate", users.name("grader"))
    [fresh] = [user for user in told["users"] if "password" in user]
    assert fresh["name"] == users.name("grader")
    assert may_log_in(fresh["amqp_url"])
    assert not may_log_in(before["grader"])
    assert may_log_in(before["gateway"])


def test_rights_and_tags_that_somebody_changed_are_set_right_and_the_password_stays(users: BrokerUsers) -> None:
    url = users.set_up()["grader"]
    name = users.name("grader")
    users.vhost.api("PUT", f"permissions/{{vhost}}/{name}", json={"configure": ".*", "write": ".*", "read": ".*"})
    password = urlsplit(url).password
    users.vhost.api("PUT", f"users/{name}", json={"password": password, "tags": "impersonator"})
    code, stdout, _ = run(users, "--check", "--json")
    assert code == 1
    [would] = [user["would"] for user in json.loads(stdout)["users"] if user["would"]]
    assert would == ["tags set", "rights set"]
    assert did(users.setup(), users)["grader"] == would
    assert may_log_in(url)
    [user] = [user for user in users.vhost.api("GET", "users").json() if user["name"] == name]
    assert user["tags"] in ("xqueue-grader", ["xqueue-grader"])


def test_a_grader_that_is_taken_out_of_the_settings_can_do_nothing_any_more(users: BrokerUsers) -> None:
    url = users.set_up()["grader"]
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().basic_consume("xqueue.submissions.openedx", lambda *_: None)
    connections = "vhosts/{vhost}/connections"
    wait_until(
        lambda: users.name("grader") in [each.get("user") for each in users.vhost.api("GET", connections).json()],
        15,
        "the management API shows no connection of the grader",
    )
    told = users.setup(AMQP_GRADERS="{}")
    assert did(told, users)["grader"] == ["rights taken"]
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
        connection.process_data_events(time_limit=10)
    assert not may_log_in(url)
    assert "grader" not in did(users.setup(AMQP_GRADERS="{}"), users)
    assert did(users.setup(), users)["grader"] == ["rights set"]
    assert may_log_in(url)


# What means something in a regular expression, a URL or both.
ODD = ["a.b", "a+b", "(x|y)", "[ab]*", "^$", "a\\Eb", "ünï-cødé", "a b#c", "a/b", "{1}", "?", "a%2Fb"]


def test_a_grader_reads_its_queue_whatever_its_name_and_no_other(vhost: VHost) -> None:
    queues = dict.fromkeys([*ODD, "aXb", "aab", "x", "a"])
    with broker_users(vhost, {f"grader of {queue}": [queue] for queue in ODD}, queues) as users:
        urls = users.set_up()
        for own in ODD:
            with pika.BlockingConnection(pika.URLParameters(urls[f"grader of {own}"])) as connection:
                readable = {
                    queue
                    for queue in queues
                    if refusal(connection, call("basic_get", f"xqueue.submissions.{queue}")) is None
                }
            assert readable == {own}


def test_broken_off_half_way_it_still_shows_the_passwords_that_it_set_and_the_next_run_does_the_rest(
    users: BrokerUsers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give = Management.put_rights

    def refuse_the_relay(api: Management, name: str, rights: Mapping[str, str]) -> None:
        if name == users.name("relay"):
            raise ManagementError("the network is down")
        give(api, name, rights)

    for key, value in {"AMQP_URL": users.vhost.amqp_url, **users.settings}.items():
        monkeypatch.setenv(f"XQUEUE_{key}", value)
    monkeypatch.setattr(Management, "put_rights", refuse_the_relay)
    with pytest.raises(ManagementError, match="the network is down"):
        setup(as_json=True)
    told = {user["name"]: user for user in json.loads(capsys.readouterr().out)["users"]}
    assert list(told) == [users.name("gateway"), users.name("relay")]

    rest = did(users.setup(), users)
    assert rest["gateway"] == []
    assert rest["relay"] == ["rights set"]
    for name in told:
        assert may_log_in(told[name]["amqp_url"])


def test_an_administrator_is_named_and_nothing_is_done(users: BrokerUsers) -> None:
    admin = urlsplit(users.vhost.amqp_url).username
    code, stdout, stderr = run(users, AMQP_GRADERS=json.dumps({admin: ["openedx"]}))
    assert (code, stdout) == (1, "")
    assert f"user '{admin}' is an administrator" in stderr
    assert users.vhost.api("GET", "queues/{vhost}").json() == []


def test_without_a_management_api_it_says_so_without_its_password(users: BrokerUsers) -> None:
    _, _, stderr = run(users, MANAGEMENT_URL="")
    assert "MANAGEMENT_URL" in stderr
    ran = Operator(users.vhost.amqp_url).run("setup")
    assert ran.stderr == (
        "xqueue-broker: MANAGEMENT_URL is not set: give it in XQUEUE_CFG's file or as XQUEUE_MANAGEMENT_URL\n"
    )
    code, _, stderr = run(users, MANAGEMENT_URL="http://u:hunter2@127.0.0.1:1")
    assert code == 1
    assert "can't reach the management API at http://127.0.0.1:1/api (connection refused)" in stderr
    assert "hunter2" not in stderr


def test_a_wrong_account_is_said_without_its_password(users: BrokerUsers) -> None:
    where = users.vhost.management_url.rpartition("@")[2]
    code, _, stderr = run(users, MANAGEMENT_URL=f"http://nobody:hunter2@{where}")
    assert code == 1
    assert "does not let MANAGEMENT_URL's account in" in stderr
    assert "hunter2" not in stderr


def test_what_is_no_management_api_is_said(users: BrokerUsers) -> None:
    where = users.vhost.management_url.rpartition("@")[2]
    code, _, stderr = run(users, MANAGEMENT_URL=f"http://u:hunter2@{where}/js")
    assert code == 1
    assert stderr.count("\n") == 1
    assert "hunter2" not in stderr


def has_policy(vhost: VHost, name: str) -> bool:
    return bool(vhost.api("GET", f"queues/{{vhost}}/{name}").json().get("policy") == name)


def test_what_failed_and_comes_back_too_often_is_parked_once_setup_has_put_its_policy(users: BrokerUsers) -> None:
    # As 0.1.0 declared it, but for the limit: a million returns would take a while.
    with pika_channel(users.vhost.amqp_url) as channel:
        channel.queue_declare("few", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 2})
        declare(users.vhost.amqp_url, topology(["openedx"], (1,)))
        users.setup()
        users.vhost.api("PUT", "policies/{vhost}/few", json=FAILED_TO_PARKED.body | {"pattern": "^few$"})
        for name in ("few", SUBMISSIONS_FAILED):
            wait_until(partial(has_policy, users.vhost, name), 60, f"no policy is on {name}")
        channel.basic_publish("", "few", b"work", pika.BasicProperties(delivery_mode=2), mandatory=True)

        def is_parked() -> bool:
            if (got := channel.basic_get("few"))[0]:
                channel.basic_nack(got[0].delivery_tag)
            return bool(channel.basic_get(SUBMISSIONS_PARKED)[2] == b"work")

        wait_until(is_parked, 60, "it was not parked")


def test_a_sites_own_policy_on_what_failed_stays_and_it_hears_what_belongs_into_it(users: BrokerUsers) -> None:
    own = {"pattern": ".*", "definition": {"max-length": 1000000}, "priority": 0, "apply-to": "queues"}
    users.vhost.api("PUT", "policies/{vhost}/everywhere", json=own)
    code, _, stderr = run(users)
    assert (code, "policy everywhere is on queue 'xqueue.submissions.failed'" in stderr) == (0, True)
    assert [policy["name"] for policy in users.vhost.api("GET", "policies/{vhost}").json()] == ["everywhere"]
