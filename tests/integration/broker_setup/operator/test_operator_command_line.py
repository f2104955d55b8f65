"""`xqueue-broker` as an operator runs it."""

import json
import os
import subprocess
import sys

import pytest
from argon2 import PasswordHasher

from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from tests.support.broker import VHost
from tests.support.gateway import wait_until
from tests.support.operator import QUEUES, environment, one_line, run

_WITH_A_TERMINAL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(int(sys.argv.pop(1)), termios.TIOCSCTTY, 0)
runpy.run_module("broker_setup", run_name="__main__", alter_sys=True)
"""


def test_declare_and_check_agree(vhost: VHost) -> None:
    settings = {"AMQP_URL": vhost.amqp_url, "XQUEUES": '{"openedx": null}'}
    before = run("check", "--json", **settings)
    assert before.returncode == 1
    assert any("'xqueue.submissions.openedx' is missing" in each for each in json.loads(before.stdout)["problems"])

    declared = run("declare", "--json", **settings)
    assert (declared.returncode, declared.stderr) == (0, "")
    assert "xqueue.submissions.openedx" in {queue["name"] for queue in json.loads(declared.stdout)["queues"]}

    after = run("check", "--json", **settings)
    unseen = "the broker's own settings and policies were not looked at: MANAGEMENT_URL is not set"
    assert (after.returncode, after.stderr) == (0, "")
    assert json.loads(after.stdout) == {"problems": [], "advice": [], "unseen": unseen}


def test_a_person_gets_a_table_and_a_sentence(vhost: VHost) -> None:
    settings = {"AMQP_URL": vhost.amqp_url, "XQUEUES": '{"openedx": null}'}
    assert "xqueue.results.rung.1s" in run("declare", **settings).stdout
    checked = run("check", **settings)
    assert checked.returncode == 0
    assert one_line(checked.stdout).startswith("all ")
    assert one_line(checked.stderr).startswith(
        "the broker's own settings and policies were not looked at: MANAGEMENT_URL"
    )


def test_with_a_management_url_check_looks_at_the_brokers_own_settings(vhost: VHost) -> None:
    settings = {"AMQP_URL": vhost.amqp_url, "XQUEUES": '{"openedx": null}'}
    declare(vhost.amqp_url, Settings(xqueues={"openedx": None}).topology)
    checked = run("check", MANAGEMENT_URL=vhost.management_url, **settings)
    assert (checked.returncode, checked.stderr) == (0, "")
    first, *advised = checked.stdout.splitlines()
    assert first.startswith("all ")
    version = vhost.api("GET", "overview").json()["rabbitmq_version"]
    assert all(line.startswith("advice: ") for line in advised)
    assert any("max_message_size (16777216)" in line for line in advised) == version.startswith("3.")


def test_with_a_management_url_declare_puts_the_policy_that_check_misses(vhost: VHost) -> None:
    settings = {"AMQP_URL": vhost.amqp_url, "XQUEUES": '{"openedx": null}'}
    managed = settings | {"MANAGEMENT_URL": vhost.management_url}
    assert run("declare", **settings).returncode == 0
    misses = "is dropped: run `xqueue-broker setup`"
    # The management API hears of a new queue a moment later than AMQP.
    wait_until(lambda: misses in run("check", **managed).stdout, 60, "check does not miss it")
    assert vhost.api("GET", "policies/{vhost}").json() == []

    declared = run("declare", **managed)
    assert (declared.returncode, declared.stderr) == (0, "")
    assert [policy["name"] for policy in vhost.api("GET", "policies/{vhost}").json()] == ["xqueue.submissions.failed"]
    wait_until(lambda: "is dropped" not in run("check", **managed).stdout, 60, "check misses it still")

    # Somebody else's, for all queues of a broker that they share with ours.
    body = {"pattern": ".*", "definition": {"message-ttl": 3_600_000}, "apply-to": "queues", "priority": -1}
    vhost.api("PUT", "policies/{vhost}/all", json=body)
    harm = "policy all on queue 'xqueue.submissions.openedx' has message-ttl = 3600000: it takes out"
    wait_until(lambda: harm in run("check", **managed).stdout, 60, "check does not see what a policy takes")
    assert run("check", **managed).returncode == 1


def test_declare_needs_no_administrator_and_says_which_policy_it_could_not_look_at(vhost: VHost) -> None:
    where = vhost.management_url.rpartition("@")[2]
    settings = {"AMQP_URL": vhost.amqp_url, "XQUEUES": '{"openedx": null}'}
    declared = run("declare", MANAGEMENT_URL=f"http://nobody:hunter2@{where}", **settings)
    assert declared.returncode == 0
    said = one_line(declared.stderr)
    assert said.startswith("the policy on xqueue.submissions.failed was not looked at: ")
    assert "hunter2" not in said


def test_a_management_api_that_lets_nobody_in_is_said_in_a_line_and_the_rest_is_checked(vhost: VHost) -> None:
    declare(vhost.amqp_url, Settings(xqueues={"openedx": None}).topology)
    where = vhost.management_url.rpartition("@")[2]
    settings = {"AMQP_URL": vhost.amqp_url, "XQUEUES": '{"openedx": null}'}
    checked = run("check", MANAGEMENT_URL=f"http://nobody:hunter2@{where}", **settings)
    assert checked.returncode == 0
    assert one_line(checked.stdout).startswith("all ")
    said = one_line(checked.stderr)
    assert said.startswith("the broker's own settings and policies were not looked at: ")
    assert "does not let MANAGEMENT_URL's account in" in said
    assert "hunter2" not in said


def test_a_wrong_setting_is_one_line() -> None:
    ran = run("check", PORT="eighty")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert one_line(ran.stderr).startswith("xqueue-broker: XQUEUE_PORT: ")


def test_no_broker_is_one_line_without_the_password() -> None:
    ran = run("declare", AMQP_URL="amqp://xqueue:hunter2@127.0.0.1:1/", XQUEUES=QUEUES)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "127.0.0.1:1" in one_line(ran.stderr)
    assert "nothing was set" not in ran.stderr
    assert "hunter2" not in ran.stderr


def test_a_wrong_password_is_one_line_without_it(vhost: VHost) -> None:
    account, _, where = vhost.amqp_url.rpartition("@")
    ran = run("check", AMQP_URL=f"{account.rpartition(':')[0]}:hunter2@{where}", XQUEUES=QUEUES)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "hunter2" not in one_line(ran.stderr)


def test_keys_that_mean_nothing_are_named_on_stderr_and_the_work_is_done(vhost: VHost) -> None:
    ran = run("declare", "--json", AMQP_URL=vhost.amqp_url, XQUEUES=QUEUES, PROT="1")
    assert ran.returncode == 0
    assert "XQUEUE_PROT (did you mean XQUEUE_PORT?)" in one_line(ran.stderr)
    assert json.loads(ran.stdout)


def test_a_password_that_is_piped_in_is_hashed() -> None:
    ran = run("hash-password", typed="hunter2\n")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert one_line(ran.stdout).startswith("$argon2id$")
    assert PasswordHasher().verify(ran.stdout.strip(), "hunter2")


def test_a_password_is_read_from_the_pipe_also_where_there_is_a_terminal() -> None:
    # A new session whose terminal is a pty: what is asked of /dev/tty would wait for ever.
    primary, secondary = os.openpty()
    try:
        ran = subprocess.run(
            [sys.executable, "-c", _WITH_A_TERMINAL, str(secondary), "hash-password"],
            env=environment(),
            input="hunter2\n",
            capture_output=True,
            text=True,
            pass_fds=[secondary],
            start_new_session=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(primary)
        os.close(secondary)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert PasswordHasher().verify(ran.stdout.strip(), "hunter2")


def test_no_password_at_all_is_one_line() -> None:
    ran = run("hash-password", typed="\n")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "no password" in one_line(ran.stderr)


@pytest.mark.parametrize("command", ["check", "count", "declare"])
def test_no_queue_at_all_is_worth_a_warning(command: str, vhost: VHost) -> None:
    declare(vhost.amqp_url, Settings().topology)
    ran = run(command, AMQP_URL=vhost.amqp_url)
    assert ran.returncode == 0
    assert ran.stderr.startswith("XQUEUES names no queue\n")


def test_usage_names_the_command_as_people_type_it() -> None:
    assert "Usage: xqueue-broker [OPTIONS]" in run("--help").stdout
    assert "Usage: xqueue-broker trace" in run("trace", "--nonsense").stderr


def test_help_says_what_there_is() -> None:
    ran = run("--help")
    assert ran.returncode == 0
    for command in ("declare", "check", "count", "trace", "retire", "hash-password"):
        assert command in ran.stdout
