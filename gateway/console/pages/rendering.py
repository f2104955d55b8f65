"""Makes pages of templates: whatever stands in a name is text, and no page does what the console did not give it."""

from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from broker_setup.visible import visible
from gateway.console.pages.people import Visitor
from gateway.console.pages.words import STATES, ago, shown

# Scripts and styles of ours alone, none in a page; forms go to us, and nobody shows us in a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # With "no-referrer" browsers say of our own forms that they come from nowhere (Origin: null).
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}


class Rendering:
    """The templates, ready for use."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).with_name("templates")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"visible": visible, "shown": shown, "ago": ago}
        self._templates.globals["states"] = STATES

    def page(
        self,
        request: Request,
        template: str,
        visitor: Visitor | None,
        *,
        status: int = 200,
        problem: str = "",
        **said: Any,
    ) -> Response:
        """Make a page; nothing keeps it."""
        text = self._templates.get_template(template).render(
            {"visitor": visitor, "here": request.url.path, "problem": problem, "now": time()} | said
        )
        return HTMLResponse(text, status, headers={**HEADERS, "cache-control": "no-store"})

    def message(self, request: Request, visitor: Visitor | None, status: int, title: str, text: str) -> Response:
        """Make a page of a heading and a sentence."""
        return self.page(request, "message.html", visitor, status=status, title=title, text=text)
