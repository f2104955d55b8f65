"""`hash-password`: the hash of an account's password, for USERS."""

import sys

import typer
from argon2 import PasswordHasher

from broker_setup.errors import ArgumentError


def hash_password() -> None:
    """Ask for a password, or read a line from a pipe, and print its hash for USERS: no plain password stands there."""
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:  # a prompt would ask the terminal, where there is one
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise ArgumentError("there was no password to read: type it, or pipe in one line")
    print(PasswordHasher().hash(password))
