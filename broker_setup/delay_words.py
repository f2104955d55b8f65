"""Lengths of time as queues' names have them, and as their purposes say them."""


def spoken(seconds: float) -> str:
    """Make a part of a queue's name: `30s`, `24h`."""
    return "".join(_number_and_unit(seconds, "m"))


def worded(seconds: float) -> str:
    """Say it to people: `30 s`, `10 min`."""
    return " ".join(_number_and_unit(seconds, "min"))


def _number_and_unit(seconds: float, minutes: str) -> tuple[str, str]:
    if seconds < 1:
        return str(round(seconds * 1000)), "ms"
    for unit, size in (("h", 3600), (minutes, 60)):
        if seconds % size == 0:
            return str(round(seconds / size)), unit
    return f"{seconds:g}", "s"
