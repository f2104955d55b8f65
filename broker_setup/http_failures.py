"""Says why an HTTP request got no answer, without the library's text, which may quote a URL's secrets or the reply."""

import aiohttp


def why_no_answer(error: Exception) -> str:
    """Say what went wrong in words that are fit for a log; empty if it is nothing common."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "the certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return "the host name is unknown"
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or type(error.os_error).__name__}"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer"
        case aiohttp.InvalidURL():
            return "the URL can't be used"
        case _:
            return ""
