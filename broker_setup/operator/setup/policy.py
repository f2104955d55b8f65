"""Puts the one policy that XQueue has, for the commands that declare."""

import typer

from broker_setup.errors import BrokerUnavailableError, ManagementError
from broker_setup.operator.management_api import Management, management_api
from broker_setup.operator.setup.policy_plan import FAILED_TO_PARKED, standing_of
from broker_setup.settings import Settings
from broker_setup.topology import SUBMISSIONS_FAILED


def put_policy(api: Management) -> None:
    """Put it, or say on stderr which one of the site's keeps it out."""
    now = standing_of(api.policies())
    if now.others:
        typer.echo(now.in_words, err=True)
    elif not now.as_it_should_be:
        api.put_policy(FAILED_TO_PARKED.name, FAILED_TO_PARKED.body)


def put_policy_if_possible(settings: Settings) -> None:
    """Put it where MANAGEMENT_URL is set; where its account may not, say so on stderr: all else works without."""
    management = management_api(settings)
    if management is None:
        return
    try:
        with management as api:
            put_policy(api)
    except (BrokerUnavailableError, ManagementError) as error:
        typer.echo(f"the policy on {SUBMISSIONS_FAILED} was not looked at: {error}", err=True)
