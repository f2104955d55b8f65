"""The command `xqueue-passive`."""

from broker_setup.process.command_line import answer_options


def main() -> None:
    """Answer what is asked of the command itself, at once; else run the bridge until it is told to stop."""
    answer_options("xqueue-passive", "The bridge to passive graders: calls the URLs that queues have in XQUEUES.")
    from gateway.passive.starting import start

    start()


if __name__ == "__main__":
    main()
