"""Reads the parts of an AMQP URL, and makes the URL of another user."""

from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

# Where aio-pika looks for the authorities to trust.
_CA_FILE = "cafile"
_DEFAULT_PORTS = {"amqps": 5671}


def user_of(url: str) -> str | None:
    """Return the user that `url` names, None if it names none (as where a token is the password)."""
    return unquote(urlsplit(url).username or "") or None


def address_of(url: str) -> str:
    """Return the host and the port that `url` names, and nothing else of it: fit for a log."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, 5672)}"


def vhost_of(url: str) -> str:
    """Return the virtual host that `url` names: without one, it is the default one."""
    return unquote(urlsplit(url).path.removeprefix("/")) or "/"


def url_for(url: str, user: str, password: str) -> str:
    """Return `url` with another user and password."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{where}").geturl()


def trusting(url: str, ca_bundle: Path) -> str:
    """Return `url` with the authorities that are to be trusted for it, which is for amqps alone."""
    parts = urlsplit(url)
    if parts.scheme != "amqps":
        return url
    query = {name: value for name, value in parse_qs(parts.query, keep_blank_values=True).items() if name != _CA_FILE}
    return parts._replace(query=urlencode({**query, _CA_FILE: str(ca_bundle)}, doseq=True)).geturl()


def without_ca_bundle(url: str) -> tuple[str, Path | None]:
    """Return `url` as clients read it that know nothing of such a bundle, and the bundle."""
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    [bundle] = query.pop(_CA_FILE, [None])[-1:]
    return parts._replace(query=urlencode(query, doseq=True)).geturl(), Path(bundle) if bundle else None
