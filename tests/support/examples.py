"""How many examples Hypothesis tries: few in each run of the suite, many in `make fuzz`."""

import os


def examples(few: int, many: int) -> int:
    return many if "FUZZ_EXAMPLES" in os.environ else few
