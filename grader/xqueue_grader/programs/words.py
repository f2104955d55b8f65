"""Says in words for a student how a run ended that did not end well."""

from xqueue_grader.programs.limits import MIB, Limits
from xqueue_grader.programs.program import End, Ran

SIGNALS = 128  # an exit code above it is a signal's number
SHOWN = 2_000  # characters of its errors, the last ones


def failure(ran: Ran, limits: Limits) -> str:
    """Say what went wrong; "" if nothing did."""
    match ran.end:
        case End.SECONDS:
            return f"Your program did not end within {limits.seconds:g} s."
        case End.CPU:
            return f"Your program needed more than {limits.cpu_seconds} s of computing."
        case End.MEMORY:
            return f"Your program took more than {limits.memory_bytes / MIB:.4g} MiB of memory."
        case End.OUTPUT:
            return f"Your program printed more than {limits.output_bytes / 1024:.4g} KiB."
    if not ran.code:
        return ""
    errors = ran.errors.decode(errors="replace")
    how = f"was ended by signal {ran.code - SIGNALS}" if ran.code > SIGNALS else f"ended with exit code {ran.code}"
    return f"Your program {how}:\n{errors[-SHOWN:]}"
