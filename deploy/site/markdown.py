"""Makes of a page that is written for a tree, and for CommonMark, one for the site and for Python-Markdown."""

import re
from collections.abc import Callable
from posixpath import dirname, join, normpath, relpath

DOCS = "docs"
# What stands outside of docs/ has this folder on the site.
OUTSIDE = "project"

_LINK = re.compile(r"(?<=\]\()(?P<path>[^()#\s:]+)(?=[#)])")
_WHOLE_LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<path>[^()#\s:]+)(?:#[^()\s]*)?\)")
_FENCE = re.compile(r"^\s*(```|~~~)")
# In the middle of a paragraph a list of numbers begins with the first alone: others are a line that begins with one.
_LIST = re.compile(r"^(?:[-*]|1\.) ")
_ANY_ITEM = re.compile(r"^(?:[-*]|\d+\.) ")


def place_in_tree(place_on_site: str) -> str:
    """Return where the page or file stands in the tree."""
    inside = place_on_site.removeprefix(f"{OUTSIDE}/")
    return inside if inside != place_on_site else join(DOCS, place_on_site)


def place_on_site(place_in_tree: str) -> str:
    """Return where it stands on the site."""
    inside = place_in_tree.removeprefix(f"{DOCS}/")
    return inside if inside != place_in_tree else join(OUTSIDE, place_in_tree)


def targets_in_tree(markdown: str, page: str) -> set[str]:
    """Return where in the tree the links of a page lead, which stands there on the site."""
    folder = dirname(place_in_tree(page))
    return {normpath(join(folder, found["path"])) for found in _LINK.finditer(markdown)}


def without_links(markdown: str, page: str, is_without: Callable[[str], bool]) -> str:
    """Leave nothing but their text of links to places of the tree that have no page on a site, such as folders."""
    folder = dirname(place_in_tree(page))

    def left(match: re.Match[str]) -> str:
        return match["text"] if is_without(normpath(join(folder, match["path"]))) else match[0]

    return _WHOLE_LINK.sub(left, markdown)


def linked_on_site(markdown: str, page: str) -> str:
    """Have the links of a page, which stands there on the site, lead to where their targets stand on the site."""
    folder = dirname(place_in_tree(page))

    def led(match: re.Match[str]) -> str:
        target = normpath(join(folder, match["path"]))
        return relpath(place_on_site(target), dirname(page) or ".")

    return _LINK.sub(led, markdown)


def separated(markdown: str) -> str:
    """Put a blank line before each list and table that follows on text at once."""
    lines: list[str] = []
    is_code = is_list = False
    for line in markdown.split("\n"):
        before = lines[-1] if lines else ""
        if _FENCE.match(line):
            is_code = not is_code
        elif not is_code and before.strip():
            begins_table = line.startswith("|") and not before.startswith("|")
            if begins_table or (_LIST.match(line) and not is_list):
                lines.append("")
        if not is_code:
            is_list = bool(_ANY_ITEM.match(line)) or (is_list and bool(line.strip()))
        lines.append(line)
    return "\n".join(lines)
