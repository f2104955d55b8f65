"""Text for people, in a log or at a terminal: what strangers wrote made harmless, and numbers with their noun."""


def visible(text: str, keep: str = "") -> str:
    r"""Spell out what is no letter, sign or plain space, such as `\n` or `\x1b`, but for the characters to `keep`.

    So one line stays one line, nothing moves a terminal's cursor, and whatever can be encoded can be written.
    """
    if text.isprintable():
        return text
    return "".join(_spelled(each) if not each.isprintable() and each not in keep else each for each in text)


def numbered(number: int, noun: str) -> str:
    """Say how many: `1 result`, `2 results`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()
