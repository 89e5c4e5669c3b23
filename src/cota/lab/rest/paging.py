"""ThingsBoard's lists: pageSize, page, textSearch, sortProperty and sortOrder in; a page of data out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from cota.lab.data.store import Row, Store
from cota.lab.errors import GENERAL, ApiError, invalid


@dataclass(frozen=True)
class PageLink:
    """Which page of which order somebody wants."""

    size: int
    number: int
    search: str = ""
    sort: str | None = None
    descending: bool = False


def required(params: QueryParams, name: str, java_type: str = "String") -> str:
    """Return a query parameter.

    Raises:
        ApiError: It is missing: 500, as ThingsBoard's controllers answer it.
    """
    value = params.get(name)
    if value is None:
        message = f"Required request parameter '{name}' for method parameter type {java_type} is not present"
        raise ApiError(500, GENERAL, message)
    return value


def integer(value: str, name: str) -> int:
    """Return a query parameter as a whole number.

    Raises:
        ApiError: It is none.
    """
    try:
        number = int(value)
        if len(value) <= len("-2147483648") and -(2**31) <= number < 2**31:
            return number
        raise ValueError("no Java int")
    except ValueError:
        raise invalid(f"Parameter '{name}' should be a number, got: {value[:64]}") from None


def page_link(params: QueryParams) -> PageLink:
    """Read a page link from the query.

    Raises:
        ApiError: It is incomplete or makes no sense.
    """
    size = integer(required(params, "pageSize", "int"), "pageSize")
    number = integer(required(params, "page", "int"), "page")
    return check(PageLink(size, number, params.get("textSearch") or "", params.get("sortProperty"), params.get("sortOrder") == "DESC"))


def check(link: PageLink) -> PageLink:
    """Return the link if it can be served.

    Raises:
        ApiError: The size is not positive or the number negative.
    """
    if link.size < 1:
        raise invalid(f"Incorrect page link page size '{link.size}'. Page size must be greater than zero.")
    if link.number < 0:
        raise invalid(f"Incorrect page link page '{link.number}'. Page must be positive integer.")
    return link


def page(data: list[Any], total: int, link: PageLink) -> dict[str, Any]:
    """Return ThingsBoard's PageData."""
    pages = -(-total // link.size)
    return {"data": data, "totalPages": pages, "totalElements": total, "hasNext": link.number + 1 < pages}


def like(text: str) -> str:
    """Return a LIKE pattern (ESCAPE '!') for text that may stand anywhere."""
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"


def select_page(
    store: Store,
    source: str,
    conditions: Mapping[str, Any],
    link: PageLink,
    *,
    columns: Mapping[str, str],
    search_column: str,
    show: Callable[[Row], Any],
) -> dict[str, Any]:
    """Return a page of a table.

    Args:
        store: Where the table is.
        source: SELECT ... FROM ..., written here, never by a client.
        conditions: SQL condition with one `?` -> its value.
        link: Which page.
        columns: The sort properties that clients may name -> their column.
        search_column: The column that textSearch looks in.
        show: Makes a row an answer.

    Raises:
        ApiError: Nothing can be sorted by that property.
    """
    wheres, values = list(conditions), list(conditions.values())
    if link.search:
        wheres.append(f"{search_column} LIKE ? ESCAPE '!'")
        values.append(like(link.search))
    if link.sort is not None and link.sort not in columns:
        raise invalid(f"Unsupported sort property '{link.sort[:64]}'. Supported: {', '.join(sorted(columns))}")
    order = f"{columns[link.sort]} {'DESC' if link.descending else 'ASC'}, " if link.sort else ""
    body = f"{source} WHERE {' AND '.join(wheres) or '1'}"
    rows = store.all(f"{body} ORDER BY {order}1 LIMIT ? OFFSET ?", *values, link.size, link.size * link.number)
    counted = store.one(f"SELECT count(*) AS n FROM ({body})", *values)  # noqa: S608  # made of the constants above
    return page([show(row) for row in rows], counted["n"] if counted else 0, link)
