"""The command `xqueue-gateway`."""

import sys

from broker_setup.process.command_line import answer_options


def main() -> None:
    """Answer what is asked of the command itself, at once; else run the gateway until it is told to stop."""
    answer_options("xqueue-gateway", "The HTTP side of XQueue: takes submissions from LMSs, hands them to graders.")
    from gateway.starting import start

    sys.exit(start())


if __name__ == "__main__":
    main()
