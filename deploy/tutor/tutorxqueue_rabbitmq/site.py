"""What a site's configuration and patches come to: our settings, and what each process is told of them; no I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from tutorxqueue_rabbitmq.python_settings import Reading, read_python
from tutorxqueue_rabbitmq.yaml_settings import merged, read_yaml

# Who is given which secrets, beside the URL of the broker; what nobody else needs stands in no file that all read.
SECRETS_OF = {
    "gateway": ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "USERS", "JWT_SECRET_KEY", "UPLOAD_STORE_OPTIONS"),
    "relay": (
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "REQUESTS_BASIC_AUTH",
        "CALLBACK_CREDENTIALS",
        "CALLBACK_SIGNING_KEY",
        "UPSTREAM_PASSWORDS",
    ),
    "passive": ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "REQUESTS_BASIC_AUTH", "GRADING_CREDENTIALS"),
    "commands": ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "UPLOAD_STORE_OPTIONS", "ARCHIVE_STORE_OPTIONS"),
    "setup": (),
}
_BROKERS_OWN = ("AMQP_URL", "MANAGEMENT_URL", "BROKER_PASSWORDS")
# Tutor runs no console: whose accounts stand in a patch all the same, they stand in no file.
_NOBODYS = ("CONSOLE_ACCOUNTS",)
SECRETS = {key for keys in SECRETS_OF.values() for key in keys} | {*_BROKERS_OWN, *_NOBODYS}

# Each process, its role at the broker, and where Tutor keeps its password.
_ROLES = {
    "gateway": ("gateway", "XQUEUE_GATEWAY_PASSWORD"),
    "relay": ("relay", "XQUEUE_RELAY_PASSWORD"),
    "passive": ("passive", "XQUEUE_PASSIVE_PASSWORD"),
    "commands": ("broker", "XQUEUE_COMMANDS_PASSWORD"),
    "people": ("operator", "XQUEUE_OPERATOR_PASSWORD"),
}
_ADMINISTRATOR = "xqueue"
_BROKER = "xqueue-rabbitmq"


@dataclass(frozen=True)
class Site:
    """One site: its settings, secrets among them, and what of its patches was not carried over."""

    config: Mapping[str, Any]
    settings: Mapping[str, Any]
    reading: Reading

    @property
    def public_settings(self) -> dict[str, Any]:
        """Those that are no secrets: what stands in xqueue.yml."""
        return {key: value for key, value in self.settings.items() if key not in SECRETS}

    @property
    def has_own_broker(self) -> bool:
        """Whether Tutor runs the broker."""
        return not self.config["XQUEUE_AMQP_URL"]

    @property
    def makes_users(self) -> bool:
        """Whether each process has a broker user of its own: not at a broker where nobody can make one."""
        return self.has_own_broker or bool(self.config["XQUEUE_MANAGEMENT_URL"])

    def secrets_of(self, process: str) -> dict[str, str]:
        """Return the secrets that a process is given, by the names of settings, as text or JSON."""
        found = {key: self.settings[key] for key in SECRETS_OF[process] if self.settings.get(key) is not None}
        found["AMQP_URL"] = self._amqp_url_of(process)
        if process == "setup" and self.makes_users:
            found["BROKER_PASSWORDS"] = self._broker_passwords()
        if process in {"setup", "commands"} and self.makes_users:
            found["MANAGEMENT_URL"] = self._management_url_of(process)
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}

    def _amqp_url_of(self, process: str) -> str:
        administrators = self.config["XQUEUE_AMQP_URL"] or _of_user(
            f"amqp://{_BROKER}:5672/", _ADMINISTRATOR, self.config["XQUEUE_RABBITMQ_PASSWORD"]
        )
        if process == "setup" or not self.makes_users:
            return str(administrators)
        user, password = self._account(process)
        return ",".join(_of_user(uri.strip(), user, password) for uri in administrators.split(","))

    def _management_url_of(self, process: str) -> str:
        administrators = self.config["XQUEUE_MANAGEMENT_URL"] or _of_user(
            f"http://{_BROKER}:15672", _ADMINISTRATOR, self.config["XQUEUE_RABBITMQ_PASSWORD"]
        )
        return str(administrators) if process == "setup" else _of_user(administrators, *self._account("people"))

    def _broker_passwords(self) -> dict[str, str]:
        graders: dict[str, str] = self.settings.get("BROKER_PASSWORDS") or {}
        return dict(map(self._account, _ROLES)) | graders

    def _account(self, process: str) -> tuple[str, str]:
        role, password = _ROLES[process]
        names: dict[str, str] = self.settings.get("SERVICE_USERS") or {}
        return names.get(role, f"xqueue-{role}"), str(self.config[password])


def site_of(config: Mapping[str, Any], python_patch: str = "", yaml_patch: str = "") -> Site:
    """Put together what a site has; raise WrongPatchError where a patch can't be read at all."""
    lms = {str(config["XQUEUE_AUTH_USERNAME"]): str(config["XQUEUE_AUTH_PASSWORD"])}
    reading = read_python(python_patch, {"XQUEUES": {"openedx": None}, "USERS": lms})
    settings: dict[str, Any] = {
        "PUBLIC_URL": f"{'https' if config['ENABLE_HTTPS'] else 'http'}://{config['XQUEUE_HOST']}",
        "CALLBACK_ALLOWED_ORIGINS": config["XQUEUE_CALLBACK_ALLOWED_ORIGINS"] or None,
        "TRUSTED_PROXIES": config["XQUEUE_TRUSTED_PROXIES"],
        "SECRET_KEY": str(config["XQUEUE_SEALING_KEY"]),
    }
    settings |= reading.values
    # The original added accounts and took none away: the LMS's was there whatever a patch said.
    settings["USERS"] = lms | _passwords(reading.values.get("USERS"))
    return Site(config, merged(settings, read_yaml(yaml_patch)), reading)


def warnings_about(site: Site) -> list[str]:
    """Say what of a site's patches does not do here what somebody may think, a sentence each."""
    reading, said = site.reading, []
    where = "what of it is needed can stand in the patch xqueue-rabbitmq-settings, in YAML"
    if reading.not_understood:
        said.append(
            "the patch xqueue-settings is read, not run, and of it was not understood: "
            f"{'; '.join(reading.not_understood)}; {where}"
        )
    if reading.meaningless:
        said.append(
            f"settings of the patch xqueue-settings that mean nothing here: {', '.join(reading.meaningless)}; {where}"
        )
    if any(name.startswith("AWS_") or name == "DEFAULT_FILE_STORAGE" for name in reading.meaningless):
        said.append(
            "uploaded files do not go to S3 now: set UPLOAD_STORE and UPLOAD_STORE_OPTIONS in xqueue-rabbitmq-settings"
        )
    called = sorted(str(name) for name, url in site.settings["XQUEUES"].items() if url not in {None, "amqp"})
    if called and not site.config["XQUEUE_RUN_PASSIVE"]:
        said.append(
            f"nobody calls the grader of {', '.join(called)}: switch the bridge on with "
            "`tutor config save --set XQUEUE_RUN_PASSIVE=true`"
        )
    return said


def _passwords(users: Any) -> dict[str, Any]:
    # YAML and Python read some passwords as numbers.
    return {str(name): str(word) if isinstance(word, int) else word for name, word in (users or {}).items()}


def _of_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{place}"))
