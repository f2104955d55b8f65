"""The settings: one frozen, typed value, which every process is given at its start."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import SecretStr, model_validator
from yarl import URL

from broker_setup.link.broker_url import each_of, port_of, trusting, user_of
from broker_setup.outbound.callback_urls import origin_of
from broker_setup.outbound.own_services import (
    BRIDGE,
    CONSOLE,
    GATEWAY,
    GATEWAY_METRICS,
    RELAY,
    UPSTREAM,
    OwnServices,
    own_services,
)
from broker_setup.rights import Role, service_names
from broker_setup.settings.agreements import disagreements
from broker_setup.settings.passive_graders import Grading, grading_of, passive_graders
from broker_setup.settings.table import SettingsTable
from broker_setup.settings.value_types import QueueOptions
from broker_setup.topology import Topology, former_rung, notices_queue, retry_queue, topology

_NO_OPTIONS = QueueOptions()


class Settings(SettingsTable):
    """What stands in the table, and what follows from it; all of it agrees with each other."""

    @model_validator(mode="after")
    def _all_agree(self) -> Self:
        if wrong := "\n".join(disagreements(self)):
            raise ValueError(wrong)
        return self

    @model_validator(mode="after")
    def _the_broker_is_trusted(self) -> Self:
        # Into the URL, which goes wherever a connection is made.
        if self.broker_ca_bundle:
            url = trusting(self.amqp_url.get_secret_value(), self.broker_ca_bundle)
            object.__setattr__(self, "amqp_url", SecretStr(url))
        return self

    @property
    def broker_users(self) -> dict[Role, str]:
        """The broker's users that are not graders, by what they are for."""
        return service_names(self.service_users)

    @property
    def services(self) -> frozenset[str]:
        """The broker users that may publish any result: those made for that, and the one that we are ourselves."""
        users = {name for role, name in self.broker_users.items() if role is not Role.OPERATOR}
        us = user_of(self.amqp_url.get_secret_value())
        return frozenset(users | ({us} - self.amqp_graders.keys() if us else set()))

    @property
    def own_services(self) -> OwnServices:
        """Where XQueue's own services are: no callback goes there."""
        return own_services(
            [(urlsplit(uri).hostname, port_of(uri)) for uri in each_of(self.amqp_url.get_secret_value())],
            self.management_url.get_secret_value() if self.management_url else None,
            metrics={
                RELAY: (self.metrics_host, self.metrics_port),
                BRIDGE: (self.passive_metrics_host, self.passive_metrics_port),
                GATEWAY_METRICS: (self.gateway_metrics_host, self.gateway_metrics_port),
                CONSOLE: (self.console_metrics_host, self.console_metrics_port),
                UPSTREAM: (self.upstream_metrics_host, self.upstream_metrics_port),
            },
            serving={GATEWAY: (self.host, self.port), CONSOLE: (self.console_host, self.console_port)},
            public_url=self.public_url,
        )

    @property
    def topology(self) -> Topology:
        """The exchanges and queues that these settings ask for."""
        return topology(
            self.xqueues,
            self.retry_delays,
            self.notice_graces,
            ledger_max_age=self.ledger_max_age,
            ledger_max_size=self.ledger_max_size,
            archived=self.archived_queues,
        )

    @property
    def rungs(self) -> tuple[str, ...]:
        """The queues where results wait for another try, the shortest wait first."""
        return tuple(map(retry_queue, sorted(set(self.retry_delays))))

    @property
    def former_rungs(self) -> tuple[str, ...]:
        """Those of 0.1.0: some may still be there, and hold something."""
        return tuple(map(former_rung, sorted(set(self.retry_delays))))

    @property
    def notice_graces(self) -> frozenset[float]:
        """Every grace (s) that a parked message may have before its student is told."""
        return frozenset(map(self.notice_grace_of, ("", *self.queue_options)))

    @property
    def notice_queues(self) -> tuple[str, ...]:
        """The queues where notices wait for their time."""
        return tuple(notices_queue(grace) for grace in sorted(self.notice_graces) if grace)

    @property
    def archived_queues(self) -> frozenset[str]:
        """The course queues of which is kept what was submitted and answered."""
        return frozenset(queue for queue, options in self.queue_options.items() if options.archive)

    @property
    def passive_graders(self) -> dict[str, str]:
        """The URL of each queue whose grader is called."""
        return passive_graders(self)

    @property
    def upstream_origins(self) -> tuple[str, ...]:
        """Where the upstreams are, as origins."""
        return tuple(dict.fromkeys(origin_of(URL(each.url)) for each in self.upstreams.values()))

    def grading_of(self, queue: str) -> Grading:
        """How `queue`'s passive grader is called."""
        return grading_of(self, queue)

    def processing_delay_of(self, queue: str) -> float:
        """How long a lease of `queue` lasts, in seconds."""
        options = self.queue_options.get(queue, _NO_OPTIONS)
        return (options.processing_delay or self.submission_processing_delay) * 60

    def max_processing_delay_of(self, queue: str) -> float:
        """How long a lease of `queue` may last when it is extended, in seconds."""
        options = self.queue_options.get(queue, _NO_OPTIONS)
        return (options.max_processing_delay or self.max_processing_delay) * 60

    def notice_grace_of(self, queue: str) -> float:
        """How long after a parking the student of `queue` is told, in seconds; 0: at once."""
        grace = self.queue_options.get(queue, _NO_OPTIONS).notice_grace
        return self.notice_grace if grace is None else grace

    def supersede_after(self, queue: str) -> float | None:
        """How old a submission of `queue` must be to be superseded, in seconds; None: it never is."""
        return self.supersede_min_age if self.queue_options.get(queue, _NO_OPTIONS).supersede else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The current secret, then the earlier ones that still open what they sealed; empty if none is set."""
        current = (self.secret_key,) if self.secret_key else ()
        return tuple(secret.get_secret_value() for secret in (*current, *self.secret_key_fallbacks))
