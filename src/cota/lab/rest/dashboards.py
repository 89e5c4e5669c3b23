"""REST: dashboards, stored as the JSON that they came as."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.clock import now_ms
from cota.lab.data.store import Row
from cota.lab.errors import invalid, not_found, stale
from cota.lab.ids import check_uuid, new_id, ref, ref_id
from cota.lab.rest.paging import page_link, select_page
from cota.lab.web import Router, done, json_answer, read_object

_SORT = {"createdTime": "created", "title": "title"}
_INFO = ("id", "createdTime", "tenantId", "title", "name", "image", "mobileHide", "mobileOrder", "assignedCustomers", "version")


class DashboardsApi(Router):
    """The routes of ThingsBoard's DashboardController that an import and an export need."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self.route("GET", "/api/tenant/dashboards", self.page),
            self.route("GET", "/api/dashboard/serverTime", self.server_time),
            self.route("GET", "/api/dashboard/info/{id}", self.info),
            self.route("GET", "/api/dashboard/{id}", self.get),
            self.route("POST", "/api/dashboard", self.save),
            self.route("DELETE", "/api/dashboard/{id}", self.delete),
        ]

    def _row(self, dashboard_id: str) -> Row:
        row = self.core.store.one("SELECT * FROM dashboard WHERE id = ?", dashboard_id)
        if row is None:
            raise not_found(f"Dashboard with id [{dashboard_id}] is not found")
        return row

    def _show(self, row: Row) -> dict[str, Any]:
        return {
            **{"image": None, "mobileHide": False, "mobileOrder": None, "assignedCustomers": None, "configuration": None},
            **json.loads(row["body"]),
            "id": ref("DASHBOARD", row["id"]),
            "createdTime": row["created"],
            "tenantId": ref("TENANT", self.core.accounts.tenant_id),
            "title": row["title"],
            "name": row["title"],
            "version": row["version"],
        }

    def _info(self, row: Row) -> dict[str, Any]:
        whole = self._show(row)
        return {name: whole[name] for name in _INFO}

    async def server_time(self, _request: Request) -> Response:
        """Answer the lab's clock in milliseconds."""
        return json_answer(now_ms())

    async def page(self, request: Request) -> Response:
        """Answer a page of dashboards without their content."""
        sql = "SELECT * FROM dashboard"
        link = page_link(request.query_params)
        return json_answer(select_page(self.core.store, sql, {}, link, columns=_SORT, search_column="title", show=self._info))

    async def get(self, request: Request) -> Response:
        """Answer a dashboard."""
        return json_answer(self._show(self._row(check_uuid(request.path_params["id"]))))

    async def info(self, request: Request) -> Response:
        """Answer a dashboard without its content."""
        return json_answer(self._info(self._row(check_uuid(request.path_params["id"]))))

    async def save(self, request: Request) -> Response:
        """Create or replace a dashboard."""
        given = await read_object(request)
        title, dashboard_id = given.get("title"), ref_id(given.get("id"))
        if not isinstance(title, str) or not title.strip():
            raise invalid("Dashboard title should be specified!")
        if len(title) > 255:
            raise invalid("Validation error: title length must be equal or less than 255")
        body = json.dumps({name: value for name, value in given.items() if name not in {"id", "createdTime", "tenantId", "version"}})
        with self.core.store.unit():
            if dashboard_id is None:
                dashboard_id = new_id()
                self.core.store.run("INSERT INTO dashboard VALUES (?, ?, ?, ?, 1)", dashboard_id, now_ms(), title, body)
            else:
                old = self._row(dashboard_id)
                if given.get("version") is not None and given["version"] != old["version"]:
                    raise stale("Dashboard")
                sql = "UPDATE dashboard SET title = ?, body = ?, version = version + 1 WHERE id = ?"
                self.core.store.run(sql, title, body, dashboard_id)
        return json_answer(self._show(self._row(dashboard_id)))

    async def delete(self, request: Request) -> Response:
        """Delete a dashboard."""
        row = self._row(check_uuid(request.path_params["id"]))
        with self.core.store.unit():
            self.core.store.run("DELETE FROM dashboard WHERE id = ?", row["id"])
        return done()
