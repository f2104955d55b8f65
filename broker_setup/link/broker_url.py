"""Reads the parts of an AMQP URL, and makes the URL of another user."""

from urllib.parse import quote, unquote, urlsplit

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
