"""The results that tell a student that there will be no other: in the LMS's form, safe whatever their words."""

import html
import json
import re

from broker_setup.wire.messages import Result

# What XML can't have: an operator's words may come from anywhere.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def failure_notice(message: str) -> bytes:
    """Make the reply that tells a student `message`; plain text, which the LMS shows as an alert."""
    # No verdict and no points; in the original's form.
    return json.dumps({"correct": None, "score": 0, "msg": f'<div class="capa_alert">{shown(message)}</div>'}).encode()


def shown(text: str) -> str:
    """Make markup that shows `text` as it is, whatever stands in it."""
    return html.escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def notice_of(submission: str, sealed_return: str, message: str) -> Result:
    """Make the result that tells the student of a submission (its uuid, its sealed return address) `message`."""
    # Whoever sends it writes to the ledger that the submission was parked or retired.
    return Result(submission, failure_notice(message), sealed_return, recorded=True, notice=True)
