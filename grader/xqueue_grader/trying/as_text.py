"""What a student reads of a reply's msg: its markup as plain text. No I/O."""

from html.parser import HTMLParser

_BLOCK_WORDS = """
address article aside blockquote dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p
pre section table tr ul
"""
_BLOCKS = frozenset(_BLOCK_WORDS.split())
_UNSEEN = frozenset({"script", "style", "template", "title"})


def as_text(markup: str) -> str:
    """Render markup, roughly: blocks in lines of their own, images by their alternative text."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = "".join(reader.parts).split("\n")
    kept = [line.rstrip() for line in lines]
    while kept and not kept[0]:
        kept.pop(0)
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(kept)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0
        self._verbatim = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "img":
            self.parts.append(f"[{dict(attrs).get('alt') or 'an image'}]")
        elif tag in _BLOCKS:
            self._break()
            if tag == "li":
                self.parts.append("- ")
            self._verbatim += tag == "pre"
        elif tag in {"td", "th"} and not self._is_at_start():
            self.parts.append("  ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self._break()
            self._verbatim = max(0, self._verbatim - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._verbatim:
            self.parts.append(data)
            return
        text = " ".join(data.split())
        if data[:1].isspace() and not self._is_at_start():
            text = f" {text}"
        if text.strip() and data[-1:].isspace():
            text = f"{text} "
        if text.strip() or not self._is_at_start():
            self.parts.append(text)

    def _is_at_start(self) -> bool:
        return not self.parts or self.parts[-1].endswith(("\n", " "))

    def _break(self) -> None:
        if self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")
