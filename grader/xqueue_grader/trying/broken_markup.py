"""What a reply's msg does to the page around it: tags that are never closed, or close what isn't theirs. No I/O."""

from html.parser import HTMLParser

_VOID_WORDS = "area base br col embed hr img input link meta param source track wbr"
_VOID = frozenset(_VOID_WORDS.split())
# Which an end of something around them ends as well.
_ENDED_WORDS = "caption colgroup dd dt li optgroup option p rp rt tbody td tfoot th thead tr"
_ENDED_BY_OTHERS = frozenset(_ENDED_WORDS.split())
_OTHER_WORDS = """
a abbr address article aside audio b bdi bdo big blockquote button canvas center cite code data datalist del details
dfn dialog div dl em fieldset figcaption figure font footer h1 h2 h3 h4 h5 h6 header hgroup i ins kbd label legend main
map mark math menu meter nav noscript ol output picture pre progress q rtc ruby s samp search section select slot small
span strike strong sub summary sup svg table template textarea time tt u ul var video
"""
_FOREIGN = frozenset({"svg", "math"})
# What it does beside showing something.
_ACTS = {
    "base": "changes where all links of the page lead",
    "body": "belongs to a page, which has one",
    "embed": "loads something else into the page",
    "form": "sends what a student enters, or ends up within the problem's own form, which breaks that",
    "frame": "loads something else into the page",
    "head": "belongs to a page, which has one",
    "html": "belongs to a page, which has one",
    "iframe": "loads something else into the page",
    "link": "changes how the whole page looks",
    "meta": "changes the whole page",
    "object": "loads something else into the page",
    "script": "runs in the page, as the student",
    "style": "changes how the whole page looks",
}
_KNOWN = _VOID | _ENDED_BY_OTHERS | frozenset(_OTHER_WORDS.split()) | frozenset(_ACTS)
# A list of more is read by nobody.
MOST_REMARKS = 20
_SHOWN = 40


def broken_in(markup: str) -> list[str]:
    """Say what markup breaks, or does beside being shown, each once, in its order."""
    reader = _Reader()
    reader.feed(markup)
    rest = reader.rawdata
    reader.close()
    if rest.startswith("<!--"):
        reader.remark("a comment is never closed: what follows is unseen")
    elif rest.startswith("<") and rest[1:2].isalpha():
        reader.remark(f"the tag {_brief(rest)} is never closed: what follows belongs to it")
    for tag in reader.still_open:
        if tag not in _ENDED_BY_OTHERS:
            reader.remark(f"<{tag}> is never closed: the page goes on within it")
    return reader.remarks


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.remarks: list[str] = []
        self.still_open: list[str] = []
        self._foreign = 0

    def remark(self, what: str) -> None:
        if what not in self.remarks and len(self.remarks) < MOST_REMARKS:
            self.remarks.append(what)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look_at(tag, attrs)
        if tag not in _VOID:
            self.still_open.append(tag)
            self._foreign += tag in _FOREIGN

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look_at(tag, attrs)
        if tag not in _VOID and not self._foreign and tag not in _FOREIGN:
            self.remark(f"<{tag}/> does not close itself in HTML: it is <{tag}>, and never closed")

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID or tag == "p" or tag in self.still_open:  # </br> and </p> alone make one
            self._close(tag)
        else:
            self.remark(f"</{_brief(tag)}> closes nothing here: it may close what the page has put around the message")

    def _close(self, tag: str) -> None:
        if tag not in self.still_open:
            return
        while (ended := self.still_open.pop()) != tag:
            if ended not in _ENDED_BY_OTHERS:
                self.remark(f"<{ended}> is open where </{tag}> comes: browsers move what is between")
        self._foreign -= tag in _FOREIGN

    def _look_at(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTS:
            self.remark(f"<{tag}> {_ACTS[tag]}")
        elif tag not in _KNOWN and not self._foreign and "-" not in tag:
            self.remark(
                f"<{_brief(tag)}> is no tag of HTML: is it text whose < was not escaped? reply(text=...) does that"
            )
        for name, value in attrs:
            if name.startswith("on") and tag in _KNOWN:
                self.remark(f"{_brief(name)} on <{tag}> runs in the page, as the student")
            if name in {"href", "src"} and (value or "").strip().lower().startswith("javascript:"):
                self.remark(f"a {name} of <{tag}> runs in the page, as the student")


def _brief(text: str) -> str:
    shown = text[:_SHOWN].encode("ascii", "backslashreplace").decode().replace("\n", " ")
    return shown if len(text) <= _SHOWN else f"{shown}..."
