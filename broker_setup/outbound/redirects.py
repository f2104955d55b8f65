"""Names where a redirect leads, in words fit for a log: no user, password, query, or path that was asked for."""

from yarl import URL

from broker_setup.outbound.callback_urls import origin_of, parsed

# Of a path that was not asked for; what is longer is no name for people.
LONGEST_PATH = 100
# Servers send a few hundred characters; what strangers send is not parsed beyond this.
_LONGEST_LOCATION = 4096

NO_PLACE = "a place that is no http or https URL"


def safe_location(asked: URL, given: str | None) -> str | None:
    """Return where the header Location leads whose value is `given`, None where there was none.

    The path of `asked` stands there as `/...`: it may name a student, or hold a token. So `http://lms/a` that leads to
    `https://lms/a/` is `https://lms/.../`.
    """
    if not given:
        return None
    try:
        target = asked.join(parsed(given[:_LONGEST_LOCATION]))
        if target.scheme not in {"http", "https"} or not target.raw_host:
            return NO_PLACE
        where = origin_of(target)
    except ValueError:
        return NO_PLACE
    if not where.isprintable():
        return NO_PLACE
    path = target.raw_path
    if asked.raw_path != "/":
        path = path.replace(asked.raw_path.rstrip("/"), "/...", 1)
    return where + (path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}...")
