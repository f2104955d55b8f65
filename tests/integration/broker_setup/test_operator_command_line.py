"""`xqueue-broker` as an operator runs it."""

import json

from tests.support.broker import VHost
from tests.support.operator import one_line, run


def test_declare_and_check_agree(vhost: VHost) -> None:
    settings = {"AMQP_URL": vhost.amqp_url, "XQUEUES": '{"openedx": null}'}
    before = run("check", "--json", **settings)
    assert before.returncode == 1
    assert any("'xqueue.submissions.openedx' is missing" in each for each in json.loads(before.stdout)["problems"])

    declared = run("declare", "--json", **settings)
    assert (declared.returncode, declared.stderr) == (0, "")
    assert "xqueue.submissions.openedx" in {queue["name"] for queue in json.loads(declared.stdout)["queues"]}

    after = run("check", "--json", **settings)
    assert (after.returncode, json.loads(after.stdout)) == (0, {"problems": []})


def test_a_person_gets_a_table_and_a_sentence(vhost: VHost) -> None:
    settings = {"AMQP_URL": vhost.amqp_url, "XQUEUES": '{"openedx": null}'}
    assert "xqueue.results.retry.1s" in run("declare", **settings).stdout
    checked = run("check", **settings)
    assert checked.returncode == 0
    assert one_line(checked.stdout).startswith("all ")


def test_a_wrong_setting_is_one_line() -> None:
    ran = run("check", PORT="eighty")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert one_line(ran.stderr).startswith("xqueue-broker: PORT: ")


def test_no_broker_is_one_line_without_the_password() -> None:
    ran = run("declare", AMQP_URL="amqp://xqueue:hunter2@127.0.0.1:1/")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "127.0.0.1:1" in one_line(ran.stderr)
    assert "hunter2" not in ran.stderr


def test_a_wrong_password_is_one_line_without_it(vhost: VHost) -> None:
    account, _, where = vhost.amqp_url.rpartition("@")
    ran = run("check", AMQP_URL=f"{account.rpartition(':')[0]}:hunter2@{where}")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "hunter2" not in one_line(ran.stderr)


def test_keys_that_mean_nothing_are_named_on_stderr_and_the_work_is_done(vhost: VHost) -> None:
    ran = run("declare", "--json", AMQP_URL=vhost.amqp_url, PROT="1")
    assert ran.returncode == 0
    assert "XQUEUE_PROT" in one_line(ran.stderr)
    assert json.loads(ran.stdout)


def test_a_password_that_is_piped_in_is_hashed() -> None:
    ran = run("hash-password", typed="hunter2\n")
    assert ran.returncode == 0
    assert one_line(ran.stdout).startswith("$argon2id$")
    assert "hunter2" not in ran.stdout + ran.stderr


def test_help_says_what_there_is() -> None:
    ran = run("--help")
    assert ran.returncode == 0
    for command in ("declare", "check", "count", "trace", "retire", "hash-password"):
        assert command in ran.stdout
