"""Gets the broker that this machine lacks, so that it is there when it is needed: `python3 -m deploy.local.fetch`.

For what has something else to do meanwhile, as CI has. Standard library only, for that is before anything is installed.
"""

import os
import sys
from pathlib import Path

from deploy.local import find
from deploy.local.errors import LocalError
from deploy.local.runtime import prepare

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Have a broker ready; where there is none to be had, who needs it will say so."""
    data = Path(os.environ.get("XQUEUE_DATA_DIR") or ROOT / ".local")
    cache = Path(os.environ.get("XQUEUE_CACHE_DIR") or data / "cache").resolve()
    try:
        prepare(find.of_our_own(os.environ), cache, lambda line: print(line, file=sys.stderr, flush=True))
    except (LocalError, OSError) as error:
        sys.exit(f"broker: {error}")


if __name__ == "__main__":
    main()
