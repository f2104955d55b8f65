"""The command `xqueue-upstream`."""

from broker_setup.process.command_line import answer_options


def main() -> None:
    """Answer what is asked of the command itself, at once; else take work until it is told to stop."""
    answer_options("xqueue-upstream", "Takes work out of LMSs' own grader queues (UPSTREAMS) and hands it in here.")
    from gateway.upstream.starting import start

    start()


if __name__ == "__main__":
    main()
