"""The command `xqueue-console`."""

from broker_setup.process.command_line import answer_options


def main() -> None:
    """Answer what is asked of the command itself, at once; else run the console until it is told to stop."""
    answer_options("xqueue-console", "Shows people in a browser what waits, why, and what they can do about it.")
    from gateway.console.starting import start

    start()


if __name__ == "__main__":
    main()
