"""`prune-files`: removes uploaded files that nobody needs any more, after a look at what that would be."""

import json
from time import time
from typing import Annotated

import typer

from broker_setup.operator.console import AsJson, settings_of, span
from broker_setup.operator.prune.plan import PrunePlan
from broker_setup.operator.read_ledger import read_ledger
from broker_setup.upload_store import open_upload_store, submission_of
from broker_setup.visible import numbered


def prune_files(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the uploaded files of submissions that ended more than UPLOAD_MAX_AGE ago.

    What waits, is leased or is parked keeps its files. Files of which the ledger says nothing go when their links have
    expired (UPLOAD_URL_EXPIRE). Can be interrupted at any time and run again, also by several at once.
    """
    settings = settings_of()
    if settings.upload_max_age >= settings.ledger_max_age:
        typer.echo("UPLOAD_MAX_AGE is not less than LEDGER_MAX_AGE: ends are forgotten before files may go", err=True)
    store = open_upload_store(settings)
    now = time()
    # Before the ledger: what comes to the store meanwhile stands in a ledger that is read later.
    listing = list(store.listing())
    plan = PrunePlan(
        ended_before=now - settings.upload_max_age,
        link_made_before=now - settings.upload_url_expire,
        submissions={bytes.fromhex(uuid) for files in listing for key, _ in files if (uuid := submission_of(key))},
    )
    read_ledger(settings.amqp_url.get_secret_value(), plan.take)
    if strange := sum(submission_of(key) is None for files in listing for key, _ in files):
        where = "UPLOAD_STORE" if settings.upload_store else f"UPLOAD_PATH, {settings.upload_path.absolute()},"
        typer.echo(f"not XQueue's: {numbered(strange, 'file')}; is {where} the gateways'?", err=True)
    gone = kept = 0
    for files in listing:
        over = [key for key, stored in files if plan.may_go(key, stored)]
        if yes:
            store.remove_now(over)
        gone, kept = gone + len(over), kept + len(files) - len(over)
    if as_json:
        print(json.dumps({"removed" if yes else "would_remove": gone, "kept": kept}))
        return
    print(f"{'removed' if yes else 'would remove'} {numbered(gone, 'file')}, kept {numbered(kept, 'file')}")
    if gone and not yes:
        typer.echo(f"nothing was done; --yes does it (ended {span(settings.upload_max_age)} ago or longer)", err=True)
