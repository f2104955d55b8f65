"""Judges a root: both are right, and one that is near earns half."""

import json
import sys

case = json.load(sys.stdin)
number = float(case["input"])
try:
    miss = abs(float(case["output"]) ** 2 - number)
except (ValueError, OverflowError):
    print(json.dumps({"share": 0, "message": "This is no number."}))
else:
    near = "Only near: give more digits." if miss > 1e-6 else ""
    print(json.dumps({"share": 1 if not near else 0.5 if miss < 0.1 else 0, "message": near}))
