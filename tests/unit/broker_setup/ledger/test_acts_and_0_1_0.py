"""What operators' events say since 0.1.0, read by the code of 0.1.0."""

import json
import os
import subprocess
import sys
from pathlib import Path

from broker_setup.ledger.events import Act, Acted, AnyEvent, Discarded, Redriven, Retired
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from tests.support.earlier_version import VERSION_0_1_0, programs_of
from tests.support.ledger_events import uuid_of

READ_BY_IT = """
import json, sys
from broker_setup.errors import BadMessageError
from broker_setup.ledger.frames import decode_frame
told = []
for frame in json.loads(sys.argv[1]):
    try:
        told.append([repr(event) for event in decode_frame(bytes.fromhex(frame)).events])
    except BadMessageError:
        told.append(None)
print(json.dumps(told))
"""


def test_0_1_0_reads_what_operators_did_without_who_and_passes_over_only_what_changes_nothing(tmp_path: Path) -> None:
    uuid = uuid_of(1)
    frames: list[list[AnyEvent]] = [
        [
            Retired(1.0, uuid, "q", b"u", "over", "ned"),
            Redriven(2.0, uuid, "q", b"u", 1, "ned"),
            Discarded(3.0, uuid, "x", "ned"),
        ],
        [Acted(4.0, b"", Act.PAUSED, "ned", "q", "the grader is mended", 9.0)],
    ]
    bodies = [encode_frame(Frame(new_frame_id(), "writer", events)).body.hex() for events in frames]
    code = programs_of(VERSION_0_1_0, tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", READ_BY_IT, json.dumps(bodies)],
        cwd=code,
        env=os.environ | {"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=True,
    )
    events, passed_over = json.loads(ran.stdout)
    assert events == [
        f"Retired(at=1.0, submission={uuid!r}, queue='q', url=b'u', reason='over')",
        f"Redriven(at=2.0, submission={uuid!r}, queue='q', url=b'u', number=1)",
        f"Discarded(at=3.0, submission={uuid!r}, reason='x')",
    ]
    assert passed_over is None
