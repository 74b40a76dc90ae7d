"""A small Prometheus over real HTTP: answers /api/v1/query_range from a table of points."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass
class PrometheusFake:
    """Points by query, series and instant; `broken` answers everything with that status."""

    url: str = ""
    series: dict[str, list[tuple[dict[str, str], dict[float, str]]]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    broken: int | None = None
    raw: bytes | None = None
    token: str | None = None

    def put(self, query: str, at: datetime, value: object, **labels: str) -> None:
        """Let a query give a value at an instant."""
        for known, points in self.series.setdefault(query, []):
            if known == labels:
                points[at.timestamp()] = str(value)
                return
        self.series[query].append((labels, {at.timestamp(): str(value)}))

    def answer(self, form: dict[str, str]) -> dict[str, Any]:
        """Return the JSON of a range query, as the HTTP API documents it."""
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        wanted = {start + n * step for n in range(int((end - start) / step) + 1)}
        found = []
        for labels, points in self.series.get(form["query"], []):
            values = [[at, points[at]] for at in sorted(points) if at in wanted]
            if values:
                found.append({"metric": labels, "values": values})
        return {"status": "success", "data": {"resultType": "matrix", "result": found}}


@contextmanager
def prometheus() -> Iterator[PrometheusFake]:
    """Serve one on a free port of loopback."""
    fake = PrometheusFake()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
            fake.asked.append(form)
            fake.token = self.headers.get("authorization")
            status = fake.broken or 200
            found = fake.answer(form) if status == 200 else {"status": "error", "error": "broken"}
            body = fake.raw if fake.raw is not None else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its parent's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="prometheus", daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
