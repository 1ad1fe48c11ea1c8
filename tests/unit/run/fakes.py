"""An emulator whose gauges the test sets: what the engine and the drain make of it is pure."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from harness.emulator.emulator import Description
from harness.errors import EmulatorDiedError

REST = {"requests": 7, "at_rest": True, "in_flight": {}, "streams": [], "queues": [], "executions": 0}
BUSY = {**REST, "at_rest": False, "executions": 2}


class Gauges:
    """Serves /_pipeproof/activity: each answer in turn, and the last one from then on."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.schedules = {"schedules": [], "changes": 0}
        self.fired = []
        self.denied = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.startswith("/_pipeproof/permissions"):
                    answer = {"denied": outer.denied}
                elif self.path.startswith("/_pipeproof/schedules"):
                    answer = outer.schedules() if callable(outer.schedules) else outer.schedules
                else:
                    answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                status, body = answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                outer.fired.append(parse_qs(urlsplit(self.path).query)["arn"][0])
                self.do_GET()

            def do_PUT(self):
                self.do_GET()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class FakeEmulator:
    """Starts nothing; dies when it is told to."""

    stays = False

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.died = ""
        self.stopped = 0

    def prepare(self, *, node=False):
        yield "preparing"

    def start(self):
        return Description("fake", "localstack", "0", self.endpoint, "python3.13")

    def release(self):
        self.stop()

    def stop(self):
        self.stopped += 1

    def check(self):
        if self.died:
            raise EmulatorDiedError(self.died)
