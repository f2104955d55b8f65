"""A page for people is told from what an LMS, and what else takes callbacks, answers."""

import pytest

from callback_relay.pages import is_page

HTML = "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (HTML, b"<!DOCTYPE html><title>Be right back</title>"),
        (HTML, b"\xef\xbb\xbf\r\n<!-- proxy 7 -->\n<HTML lang=en>"),
        ("TEXT/HTML", b"<head><title>502</title></head>"),
        ("", b"<html>\n<head>"),
        ("application/xhtml+xml", b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">'),
        (HTML, b'<form action="/login">'),
    ],
)
def test_pages_are_pages(content_type: str, body: bytes) -> None:
    assert is_page(content_type, body)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (HTML, b""),
        (HTML, b" \n"),
        (HTML, b"ok"),
        (HTML, b"<p>Thank you</p>"),
        (HTML, b"<header>x"),
        ("application/json", b'{"message": "<html>"}'),
        ("text/plain", b"<html>"),
        ("", b"\x1f\x8b\x08\x00"),
    ],
)
def test_what_receivers_answer_is_none(content_type: str, body: bytes) -> None:
    assert not is_page(content_type, body)
