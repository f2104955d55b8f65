"""Reads the parts of an AMQP URL that concern rights, and makes the URL of another user."""

from urllib.parse import quote, unquote, urlsplit


def user_of(url: str) -> str | None:
    """Return the user that `url` names, None if it names none (as where a token is the password)."""
    return unquote(urlsplit(url).username or "") or None


def vhost_of(url: str) -> str:
    """Return the virtual host that `url` names: without one, it is the default one."""
    return unquote(urlsplit(url).path.removeprefix("/")) or "/"


def url_for(url: str, user: str, password: str) -> str:
    """Return `url` with another user and password."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{where}").geturl()
