"""A broker user that publishes results that are none, without an end: `python -m tests.support.flood URL`."""

import sys

import pika

from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE

AT_ONCE = 1_000


def main() -> None:
    """Publish until killed, as fast as the broker takes them; say so after each thousand."""
    with pika.BlockingConnection(pika.URLParameters(sys.argv[1])) as connection:
        channel = connection.channel()
        while True:
            for _ in range(AT_ONCE):
                channel.basic_publish(RESULTS_EXCHANGE, RESULTS_QUEUE, b"")
            print(AT_ONCE, flush=True)


if __name__ == "__main__":
    main()
