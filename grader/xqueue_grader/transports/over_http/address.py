"""What a URL with http:// or https:// says: where the calls are, who makes them, and whom TLS trusts."""

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

_DEFAULT_PATH = "/xqueue"
_CA_FILE = "cafile"


@dataclass(frozen=True)
class Address:
    """`base` ends in no slash, and has no account in it; the password is no part of its repr."""

    base: str
    user: str
    password: str
    ca_file: str | None = None

    def __repr__(self) -> str:
        return f"Address({self.base!r}, {self.user!r})"


def read_address(url: str) -> Address:
    """Read https://USER:PASSWORD@HOST/xqueue?cafile=PATH; raise ValueError, which quotes no password."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port is no number up to 65535 (a / or : in the password is written %2F, %3A)") from None
    if not parts.hostname:
        raise ValueError("it names no host")
    if not parts.username or parts.password is None:
        example = f"{parts.scheme}://USER:PASSWORD@{parts.hostname}"
        raise ValueError(f"it names no account: {example}... (what is no letter or digit in them as %40 and the like)")
    query = parse_qs(parts.query)
    [ca_file] = query.pop(_CA_FILE, [None])[-1:]
    if query or parts.fragment:
        raise ValueError(f"nothing but {_CA_FILE} can stand behind its ?")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = f"{host}:{port}" if port else host
    path = parts.path.rstrip("/") or _DEFAULT_PATH
    return Address(f"{parts.scheme}://{where}{path}", unquote(parts.username), unquote(parts.password), ca_file)
