"""REST: OTA packages."""

import base64
from collections.abc import AsyncIterator

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.data.package_rules import TYPES
from cota.lab.data.store import Row
from cota.lab.device import downloads
from cota.lab.errors import GENERAL, ApiError, EmptyError, invalid, not_found
from cota.lab.ids import check_uuid
from cota.lab.rest.paging import page_link
from cota.lab.web import Router, done, json_answer, read_body, read_object


class PackagesApi(Router):
    """The routes of ThingsBoard's OtaPackageController."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self.route("POST", "/api/otaPackage", self.save_info),
            self.route("POST", "/api/otaPackage/{id}", self.save_data),
            self.route("GET", "/api/otaPackage/info/{id}", self.info),
            self.route("GET", "/api/otaPackage/{id}/download", self.download),
            self.route("GET", "/api/otaPackage/{id}", self.get),
            self.route("GET", "/api/otaPackages", self.page),
            self.route("GET", "/api/otaPackages/{profile}/{kind}", self.page_of_profile),
            self.route("DELETE", "/api/otaPackage/{id}", self.delete),
        ]

    def _row(self, request: Request) -> Row:
        return self.core.packages.need(check_uuid(request.path_params["id"]))

    async def save_info(self, request: Request) -> Response:
        """Create a package, or change its additionalInfo."""
        return json_answer(self.core.packages.save_info(await read_object(request)))

    async def save_data(self, request: Request) -> Response:
        """Take a package's file as the part `file` of a form."""
        package_id = self._row(request)["id"]
        form = await _form(request)
        try:
            return await self._save_form(request, package_id, form)
        finally:
            await form.close()

    async def _save_form(self, request: Request, package_id: str, form: FormData) -> Response:
        algorithm, checksum = (request.query_params.get(name, form.get(name)) for name in ("checksumAlgorithm", "checksum"))
        file = form.get("file")
        if not isinstance(algorithm, str):
            raise ApiError(500, GENERAL, "Required request parameter 'checksumAlgorithm' for method parameter type String is not present")
        if not isinstance(file, UploadFile):
            raise ApiError(500, GENERAL, "Required part 'file' is not present.")
        data = await file.read()
        given_checksum = checksum if isinstance(checksum, str) else None
        saved = await self.core.packages.save_data(
            package_id, data, file_name=file.filename, content_type=file.content_type, algorithm=algorithm, checksum=given_checksum
        )
        return json_answer(saved)

    async def info(self, request: Request) -> Response:
        """Answer a package without its data."""
        row = self.core.packages.get(check_uuid(request.path_params["id"]))
        if row is None:
            raise not_found()
        return json_answer(self.core.packages.show(row))

    async def get(self, request: Request) -> Response:
        """Answer a package with its data in base64, as ThingsBoard does; `info` and `download` are what one wants."""
        row = self._row(request)
        has_file = row["has_data"] and not row["url"]
        data = b"".join(self.core.packages.read(row["id"], 0, row["data_size"])) if has_file else None
        return json_answer({**self.core.packages.show(row), "data": None if data is None else base64.b64encode(data).decode()})

    async def download(self, request: Request) -> Response:
        """Answer the file."""
        row = self._row(request)
        if row["url"]:
            raise EmptyError(400)
        if not row["has_data"]:
            raise not_found()
        return downloads.whole(self.core.packages, row, request.headers.get("range"))

    async def page(self, request: Request) -> Response:
        """Answer a page of all packages."""
        return json_answer(self.core.packages.page(page_link(request.query_params)))

    async def page_of_profile(self, request: Request) -> Response:
        """Answer a page of the packages that can be assigned to a profile's devices."""
        profile_id, kind = check_uuid(request.path_params["profile"]), request.path_params["kind"]
        if kind not in TYPES:
            raise invalid(f"No enum constant org.thingsboard.server.common.data.ota.OtaPackageType.{kind}")
        return json_answer(self.core.packages.page(page_link(request.query_params), profile_id, kind))

    async def delete(self, request: Request) -> Response:
        """Delete a package that nobody is assigned to."""
        self.core.packages.delete(self._row(request)["id"])
        return done()


async def _form(request: Request) -> FormData:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        kind = request.headers.get("content-type", "")[:128]
        raise ApiError(415, GENERAL, f"Content-Type '{kind}' is not supported")
    body = await read_body(request)

    async def stream() -> AsyncIterator[bytes]:
        yield body

    try:
        # python-multipart keeps a file in memory up to a limit of its own and on disk beyond; the body is bounded already.
        return await MultiPartParser(request.headers, stream(), max_files=4, max_fields=16).parse()  # type: ignore[arg-type]
    except (MultiPartException, KeyError) as error:
        raise ApiError(400, GENERAL, f"Failed to parse multipart servlet request: {error}") from None
