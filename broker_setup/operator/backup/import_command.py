"""`import`: fills a fresh broker with what was exported."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from broker_setup.operator.backup.importing import Import
from broker_setup.operator.backup.manifest import Manifest
from broker_setup.operator.backup.reading import read_manifest
from broker_setup.operator.by import By, who_acts
from broker_setup.operator.carrying_out import agreed, carry_out
from broker_setup.operator.console import AsJson, add_row, progress, settings_of, show_table, warn_of_no_queue
from broker_setup.settings import Settings
from broker_setup.visible import numbered


def import_(
    folder: Annotated[Path, typer.Argument(help="The folder that `export` made.", show_default=False)],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Fill a fresh broker, of whatever node name, with what was exported: the ledger first, work last.

    After `setup` or `declare`, and before gateways, relays and graders are started. Interrupted, nothing is lost, and
    nothing there twice: run it again. An export that is not whole, was changed, or was made under another SECRET_KEY is
    refused.
    """
    settings = settings_of(require=("SECRET_KEY",))
    warn_of_no_queue(settings)
    manifest = read_manifest(folder, settings.secrets)
    if not as_json:
        _show(manifest)
    if manifest.missing:
        typer.echo(f"{numbered(len(manifest.missing), 'submission')} did not come into the export", err=True)
    imported: bool | None = None
    if yes or agreed("Import it?", as_json=as_json):
        imported = _run(settings, folder, manifest, by=who_acts(by))
    if as_json:
        told = {"id": manifest.id, "messages": manifest.messages, "frames": manifest.frames}
        print(json.dumps({**told, "queues": manifest.by_queue, "imported": imported, "missing": manifest.missing}))
    elif imported is not None:
        print("imported" if imported else "it was imported before: nothing to do")


def _run(settings: Settings, folder: Path, manifest: Manifest, *, by: str) -> bool:
    """Import; say whether there was something to do."""
    with progress() as display:
        task = display.add_task("importing", total=manifest.messages + manifest.frames)
        work = Import(settings, folder, manifest, lambda stored: display.update(task, completed=stored))
        return carry_out(
            work.run(by=by), lambda: f"{numbered(work.stored, 'message')} stored so far; run it again for the rest"
        )


def _show(manifest: Manifest) -> None:
    table = Table("queue", "messages")
    for queue, messages in manifest.by_queue.items():
        add_row(table, queue, str(messages))
    show_table(table)
    print(
        f"{numbered(manifest.messages, 'message')} and {numbered(manifest.frames, 'frame')} of the ledger, "
        f"exported {manifest.began} by XQueue {manifest.xqueue}"
    )
