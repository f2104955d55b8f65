"""Why there is no connection: words for an operator, whatever kind of error it was."""

import errno
import socket
import ssl

import aiohttp
import pytest

from broker_setup.failure_words import why_not_connected
from broker_setup.outbound.http_failures import why_no_answer


def not_trusted(code: int, message: str = "") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1006)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (not_trusted(10), "its certificate has expired"),
        (not_trusted(20), "its certificate is from an authority that is not trusted here"),
        (not_trusted(62), "its certificate is for another host name"),
        (not_trusted(5, "unable to decrypt"), "its certificate is not trusted: unable to decrypt"),
        (ssl.SSLEOFError(8, "EOF occurred"), "it closed the connection while TLS was set up"),
        (tls("WRONG_VERSION_NUMBER"), "it does not answer in TLS at this port"),
        (tls("TLSV1_ALERT_PROTOCOL_VERSION"), "TLS failed: tlsv1 alert protocol version"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the host name is unknown"),
        (socket.gaierror(socket.EAI_AGAIN, ""), "no name server answered for the host name"),
        (OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 1)"), "no route to host"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "connection refused"),
        (ConnectionResetError(), "the connection was closed by the other side"),
        (TimeoutError(), "no answer in time"),
        (ValueError("anything"), ""),
    ],
)
def test_an_error_is_put_in_words(error: Exception, words: str) -> None:
    assert why_not_connected(error) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (aiohttp.ServerDisconnectedError(), "the connection was closed before an answer"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "reset"), "the connection broke: connection reset by peer"),
        (
            aiohttp.ClientConnectionResetError("closing"),
            "the connection broke: the connection was closed by the other side",
        ),
        (aiohttp.ClientPayloadError("b'secret'"), "the answer broke off"),
        (aiohttp.ClientError(), ""),
    ],
)
def test_an_http_request_without_an_answer_is_put_in_words(error: Exception, words: str) -> None:
    assert why_no_answer(error) == words
