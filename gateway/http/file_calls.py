"""files/: where graders fetch the files of a submission, without a login; the signed link is the permission."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from gateway.files import BadLinkError, ExpiredLinkError, FileStore
from gateway.http.envelope import refusal


class FileCalls:
    """Serves files."""

    def __init__(self, files: FileStore) -> None:
        self._files = files

    async def download(self, request: Request) -> Response:
        """Stream a file out, always as an attachment of no particular kind: it is a stranger's."""
        try:
            file = self._files.find(request.path_params["token"])
        except ExpiredLinkError as error:
            return refusal(str(error), status=410)
        except BadLinkError as error:
            return refusal(str(error), status=404)
        return FileResponse(
            file.path,
            filename=file.name,
            media_type="application/octet-stream",
            headers={"x-content-type-options": "nosniff", "cache-control": "private"},
        )
