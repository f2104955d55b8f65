"""`export`: writes all that is at the broker into a folder, and takes nothing away."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from broker_setup.errors import ArgumentError, BrokerUnavailableError
from broker_setup.link.blocking import count_ready
from broker_setup.operator.backup.definitions import definitions
from broker_setup.operator.backup.exporting import Export
from broker_setup.operator.backup.manifest import Manifest
from broker_setup.operator.backup.plan import to_walk
from broker_setup.operator.backup.writing import ExportFolder
from broker_setup.operator.by import By, who_acts
from broker_setup.operator.carrying_out import carry_out
from broker_setup.operator.console import AsJson, add_row, progress, settings_of, show_table, warn_of_no_queue
from broker_setup.operator.management_api import management_api
from broker_setup.settings import Settings
from broker_setup.topology import MIGRATING
from broker_setup.visible import numbered

SHOWN = 20


def export(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not be there.", show_default=False)],
    *,
    wait: Annotated[
        float, typer.Option(min=0.0, help="Seconds to wait for what gateways, graders and the relay have in hand.")
    ] = 60.0,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Write all that is at the broker into a folder, for `import`: work, leases, results, parked messages, the ledger.

    While all runs; nothing is taken away. A queue hands nothing out while it is read. What somebody holds all the time
    is named, and the exit code is 1. Killed, it leaves no export: only FOLDER.unfinished.
    """
    settings = settings_of(require=("SECRET_KEY",))
    warn_of_no_queue(settings)
    url = settings.amqp_url.get_secret_value()
    names = [queue.name for queue in settings.topology.queues]
    # Whatever is missing is said before anything is begun.
    if count_ready(url, names, if_there=[MIGRATING]).get(MIGRATING) is not None:
        raise ArgumentError("a migration is under way, or was broken off: run `xqueue-broker migrate --yes` before")
    with progress() as display:
        task = display.add_task("exporting", total=None)
        work = Export(
            settings,
            to_walk([*names, *_former(settings)]),
            ExportFolder(folder.absolute()),
            definitions(settings),
            lambda what, number: display.update(task, description=f"{what} {number}"),
        )
        manifest = carry_out(work.run(wait=wait, by=who_acts(by)), lambda: "there is no export; run it again")
    _show(manifest, folder, as_json=as_json)
    if manifest.missing:
        raise BrokerUnavailableError(
            f"{numbered(len(manifest.missing), 'submission')} did not come in {wait:g} s, and is not in the export: "
            "graders, the bridge, or a relay whose LMS is away, hold it (with MANAGEMENT_URL, an administrator's, the "
            "relay is made to hand back). The rest is whole; run it again into another folder"
        )


def _former(settings: Settings) -> list[str]:
    """Name those of our queues that the settings name no more, as far as the management API is there to say."""
    management = management_api(settings)
    if management is None:
        return []
    with management as api:
        return [str(entry["name"]) for entry in api.queues()]


def _show(manifest: Manifest, folder: Path, *, as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                {
                    "folder": str(folder),
                    "id": manifest.id,
                    "queues": manifest.by_queue,
                    "messages": manifest.messages,
                    "frames": manifest.frames,
                    "missing": manifest.missing,
                }
            )
        )
        return
    table = Table("queue", "messages")
    for queue, messages in manifest.by_queue.items():
        add_row(table, queue, str(messages))
    show_table(table)
    print(f"{numbered(manifest.messages, 'message')} and {numbered(manifest.frames, 'frame')} of the ledger: {folder}")
    for uuid, queue in list(manifest.missing.items())[:SHOWN]:
        print(f"missing: {uuid} of {queue}")
    if len(manifest.missing) > SHOWN:
        print(f"... and {len(manifest.missing) - SHOWN} more; {folder}/manifest.json has all")
