"""What stands in an export, for tests."""

import json
from pathlib import Path

from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import decode_frame
from broker_setup.operator.backup.records import message_in
from broker_setup.topology import LEDGER


def exported(folder: Path) -> dict[str, list[str]]:
    """The correlation ids of the messages of each queue, in their order."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return {
        file["queue"]: [message_in(line).correlation_id or "" for line in lines(folder / file["name"])]
        for file in manifest["files"]
        if file["queue"] not in {LEDGER, ""}
    }


def exported_events(folder: Path) -> list[AnyEvent]:
    """The events of the ledger."""
    return [event for line in lines(folder / "ledger.jsonl") for event in decode_frame(message_in(line).body).events]


def lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)
