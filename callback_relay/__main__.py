"""The command `xqueue-relay`."""

from broker_setup.process.command_line import answer_options


def main() -> None:
    """Answer what is asked of the command itself, at once; else run the relay until it is told to stop."""
    answer_options("xqueue-relay", "Posts results to LMSs until they are taken; of several, one works.")
    from callback_relay.starting import start

    start()


if __name__ == "__main__":
    main()
