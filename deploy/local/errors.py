"""What can go wrong in setting up the local stack; the text is ready to print and says what to do next."""


class LocalError(Exception):
    """The local stack cannot go on."""


class NoBrokerError(LocalError):
    """There is no RabbitMQ here and no way to get one."""


class BootError(LocalError):
    """A process did not come up."""


class BusyError(LocalError):
    """Somebody else is using the data folder."""
