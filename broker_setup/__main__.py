"""The command `xqueue-broker`: from its first moment on Ctrl-C ends it in a line, without a traceback."""

import sys


def main() -> None:
    """Run the command line of operator/command_line.py, which takes a while to import."""
    try:
        from broker_setup.operator.command_line import run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("xqueue-broker: interrupted\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
