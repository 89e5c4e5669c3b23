"""A front before the lab: it passes every request on, unless a test has something to happen first or an answer of its own."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# Gives an answer in place of the lab's, or None to let the request through.
Hook = Callable[[str, str], Response | None]


def refusal(status: int, message: str, code: int) -> Response:
    """An error in ThingsBoard's own shape."""
    return JSONResponse({"status": status, "message": message, "errorCode": code, "timestamp": 1}, status_code=status)


@dataclass
class Front:
    """Attributes: `url`, `seen` ("GET /api/…" of each request) and `hook`, which is asked before each is passed on."""

    url: str
    seen: list[str] = field(default_factory=list)
    hook: Hook = lambda _method, _path: None

    def once(self, method: str, path: str, happen: Callable[[], Response | None]) -> None:
        """Let something happen before the first request of this method and path."""
        left = [happen]

        def hook(asked: str, where: str) -> Response | None:
            return left.pop()() if left and asked == method and where == path else None

        self.hook = hook

    def always(self, method: str, path: str, answer: Response) -> None:
        """Answer every request of this method and path so."""
        self.hook = lambda asked, where: answer if asked == method and where.startswith(path) else None


@contextlib.contextmanager
def front_of(target: str) -> Iterator[Front]:
    """Run a front on a real socket of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    front = Front(f"http://127.0.0.1:{listener.getsockname()[1]}")
    behind = httpx2.Client(base_url=target, timeout=60, trust_env=False)

    async def forward(request: Request) -> Response:
        body = await request.body()
        front.seen.append(f"{request.method} {request.url.path}")
        own = await run_in_threadpool(front.hook, request.method, request.url.path)
        if own is not None:
            return own
        headers = {k: v for k, v in request.headers.items() if k not in ("host", "content-length", "connection", "accept-encoding")}
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        answer = await run_in_threadpool(behind.request, request.method, path, content=body, headers=headers)
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    routes = [Route("/{path:path}", forward, methods=["GET", "POST", "PUT", "DELETE"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.should_exit = True
        thread.join()
        behind.close()
