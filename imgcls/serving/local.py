"""A server for one person on this machine: localhost only, and only for the page that it gave out itself."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imgcls.errors import BusyError, UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = "127.0.0.1"
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


@dataclass(frozen=True)
class Address:
    """Where a page is served: a port of this machine, and a token that only its reader knows."""

    listening: socket.socket
    """Bound already, so that no other process can take the port."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """What every path begins with."""

    @classmethod
    def at(cls, port: int) -> Address:
        """Take a port of this machine.

        Args:
            port: Its number; 0 takes a free one.

        Raises:
            BusyError: Somebody else has it.
        """
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_HOST, port))
            listening.listen()  # whoever comes before the server does, waits
        except OSError as problem:
            listening.close()
            why = problem.strerror or problem
            raise BusyError(f"Port {port} cannot be had ({why}). Name another with --port, or none.") from problem
        return cls(listening)

    @property
    def port(self) -> int:
        """The number of the port."""
        return int(self.listening.getsockname()[1])

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{_HOST}:{self.port}/{self.token}/"


class LocalOnly:
    """Middleware that answers only requests which the page itself makes, or a person who typed its address.

    Another page in the same browser can send requests here. It does not know the token, and what it sends names its
    own origin; a name that was made to point here (DNS rebinding) shows in the host.
    """

    def __init__(self, app: ASGIApp, address: Address) -> None:
        """Guard an application.

        Args:
            app: The application; it sees paths without the token.
            address: Where it is served.
        """
        self.app, self.address = app, address
        self._hosts = {f"{name}:{address.port}".encode() for name in (_HOST, "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        from starlette.responses import PlainTextResponse

        if scope["type"] != "http":
            return
        given, _, rest = scope["path"].removeprefix("/").partition("/")
        if not self._is_own(dict(scope["headers"])) or not secrets.compare_digest(
            given.encode(), self.address.token.encode()
        ):
            await PlainTextResponse("Not for you. Open the address that imgcls printed.", 403)(scope, receive, send)
            return

        async def with_headers(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]  # type: ignore[misc]
            await send(message)

        path = f"/{rest}"
        await self.app({**scope, "path": path, "raw_path": path.encode()}, receive, with_headers)  # type: ignore[arg-type]

    def _is_own(self, headers: dict[bytes, bytes]) -> bool:
        origin = headers.get(b"origin")
        return (
            headers.get(b"host") in self._hosts
            and (origin is None or origin.removeprefix(b"http://") in self._hosts)
            and headers.get(b"sec-fetch-site", b"none") in (b"same-origin", b"none")
        )


def serve(app: ASGIApp, address: Address) -> None:
    """Serve an application on this machine until Ctrl-C or a signal to end; what is being answered is finished.

    Raises:
        UsageError: uvicorn is not installed.
    """
    try:
        import uvicorn
    except ImportError as problem:
        raise UsageError("Serving a page needs starlette and uvicorn: pip install 'imgcls[serve]'") from problem

    class Server(uvicorn.Server):
        """Ends at a signal, which is no failure here."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            ends = (signal.SIGINT, signal.SIGTERM)
            before = {one: signal.signal(one, self.handle_exit) for one in ends}
            try:
                yield
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)

    config = uvicorn.Config(
        LocalOnly(app, address),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=5,
    )
    Server(config).run(sockets=[address.listening])
