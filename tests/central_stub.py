"""FakeCentral as a process: `python -m tests.central_stub` prints its URL and serves heartbeats.

What it stored, and which configuration it hands out, is read and set below /admin.
"""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer

from agent.central_client import CentralError
from shared.config.hashing import config_hash
from shared.wire import Heartbeat
from tests.fakes import FakeCentral


def main() -> None:
    """Serve until the process is ended."""
    central = FakeCentral()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/admin/give":
                central.give(body.decode())
                self._answer(200, b"{}")
            elif self.path == "/admin/down":
                central.is_down = json.loads(body)
                self._answer(200, b"{}")
            else:
                try:
                    answer = central.post(Heartbeat.model_validate_json(body))
                    self._answer(200, answer.model_dump_json().encode())
                except CentralError as error:
                    self._answer(503, json.dumps({"error": str(error), "code": "down"}).encode())

        def do_GET(self) -> None:
            stored = [[*key, record] for key, record in sorted(central.stored.items())]
            beat = central.beats[-1] if central.beats else None
            found = {
                "records": stored,
                "running_hash": beat.config.running_hash if beat else None,
                "wanted_hash": config_hash(central.yaml) if central.yaml else None,
            }
            self._answer(200, json.dumps(found).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its parent's name
            """Say nothing."""

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)  # noqa: T201 # whoever started it reads this
    server.serve_forever()


if __name__ == "__main__":
    main()
