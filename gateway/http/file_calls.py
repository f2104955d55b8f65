"""files/: where graders fetch the files of a submission, without a login; the signed link is the permission."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from broker_setup.wire.file_links import BadLinkError, ExpiredLinkError
from gateway.http.envelope import refusal
from gateway.http.files import SubmittedFiles


class FileCalls:
    """Serves files, or with `redirect` sends graders to the store, if they can reach that."""

    def __init__(self, files: SubmittedFiles, *, redirect: bool) -> None:
        self._files = files
        self._redirect = redirect

    async def download(self, request: Request) -> Response:
        """Stream a file out, always as an attachment of no particular type, since a stranger wrote it."""
        try:
            file = await self._files.find(request.path_params["token"])
        except ExpiredLinkError as error:
            return refusal(str(error), status=410)
        except BadLinkError as error:
            return refusal(str(error), status=404)
        # A presigned URL is good for one method.
        if self._redirect and request.method == "GET" and (url := await self._files.elsewhere(file)):
            return RedirectResponse(url, status_code=307, headers={"cache-control": "no-store"})
        return StreamingResponse(
            self._files.content(file) if request.method == "GET" else iter(()),
            media_type="application/octet-stream",
            headers={
                "content-length": str(file.size),
                "content-disposition": f"attachment; filename*=utf-8''{quote(file.name, safe='')}",
                "x-content-type-options": "nosniff",
                "cache-control": "private",
            },
        )
