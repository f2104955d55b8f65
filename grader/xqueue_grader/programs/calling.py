"""Calls one function of a student's module, where the program runs: `python calling.py MODULE`, the order on its input.

The first line is JSON: `function`, `arguments`, `named`. What the function returns goes out as JSON, alone; what the
module prints goes to the errors. It is copied beside the program, and imports nothing but what Python has.
"""

import json
import os
import sys


def main() -> None:
    """Answer, then leave: whatever the module left running does not matter any more."""
    order = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    module = __import__(sys.argv[1])
    value = getattr(module, order["function"])(*order["arguments"], **order["named"])
    json.dump({"value": value}, answers)
    answers.flush()


if __name__ == "__main__":
    main()
