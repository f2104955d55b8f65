"""`check-settings`: all that is wrong with the settings, before a service is started with them."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from broker_setup.operator.check_settings.findings import findings
from broker_setup.operator.console import AsJson
from broker_setup.settings.json_schema import json_schema
from broker_setup.settings.loading import examine_settings
from broker_setup.settings.required import Service
from broker_setup.visible import visible

AsSchema = Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a settings file, and look at none.")]
Named = Annotated[list[Service] | None, typer.Argument(help="Look at this service; without one, at all that are used.")]


def check_settings(services: Named = None, *, schema: AsSchema = False, as_json: AsJson = False) -> None:
    """Say what keeps a service from starting, all of it; exit with 1 if anything does. Nothing is connected to."""
    if schema:
        print(json.dumps(json_schema(), indent=2))
        return
    found = findings(services or (), examine_settings)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        for warning in found.warnings:
            typer.echo(visible(warning), err=True)
        for mistake in found.mistakes:
            print(f"{', '.join(mistake.services)}: {visible(mistake.what, keep=chr(10))}")
        if not found.mistakes:
            print(f"{', '.join(found.services)}: can start with these settings")
    raise typer.Exit(1 if found.mistakes else 0)
