"""A proxy that passes everything on and writes down the requests."""
import http.client
import http.server
import json
import threading
import urllib.parse

# Of no use in a replay, or different on every machine.
LEFT_OUT = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "user-agent"}
# Longer texts are cut: this many characters are too long for the fake engine's window too.
LONGEST = 20_000


def shortened(value):
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    return value


class Recorder:
    def __init__(self, target, path):
        self.target = urllib.parse.urlsplit(target)
        self.path = path
        self.requests = []

    def __enter__(self):
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.body()
                recorder.note(self.command, self.path, self.headers, body)
                connection = http.client.HTTPConnection(recorder.target.hostname, recorder.target.port)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "transfer-encoding")}
                headers["content-length"] = str(len(body))
                connection.request(self.command, self.path, body, headers)
                reply = connection.getresponse()
                self.send_response(reply.status)
                for name, value in reply.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("connection", "close")
                self.end_headers()
                try:
                    while piece := reply.read1(65536):
                        self.wfile.write(piece)
                        self.wfile.flush()
                except OSError:
                    pass  # The client has hung up, which is what it was to do.
                finally:
                    connection.close()
                    self.close_connection = True

            def body(self):
                if "chunked" in self.headers.get("transfer-encoding", ""):
                    pieces = b""
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        pieces += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return pieces
                return self.rfile.read(int(self.headers.get("content-length", 0)))

            do_GET = do_POST = do_DELETE = do_HEAD = do_OPTIONS = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def note(self, method, path, headers, body):
        kept = {name.lower(): value for name, value in headers.items() if name.lower() not in LEFT_OUT and not name.lower().startswith("x-stainless")}
        request = {"method": method, "path": path, "headers": kept, "body": shortened(json.loads(body)) if body else None}
        if request not in self.requests:
            self.requests.append(request)

    def __exit__(self, *_):
        self.server.shutdown()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.requests, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
