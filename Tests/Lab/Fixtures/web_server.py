"""A web server for tests, on a free port of the loopback.

usage: web_server.py CERTIFICATE KEY [tls] [port=N] [delay=SECONDS] [keep]
Paths: /status/N answers so; /endless has a body without end, /head a head without end; /silent never answers; /first/A,B
answers the first requests with A and B, where 0 is to end the connection without an answer and N:S has Retry-After: S,
and the others with 200; /refuse/TEXT/N answers bodies that contain TEXT with N, and the others with 200; all else is
answered with 200 and the request itself as JSON. With `keep` connections stay.
Lines on stdout: `port N`, `request JSON`; the answer's status is in a request's JSON as `answer`.
"""
import http.server
import json
import ssl
import sys
import threading
import time

certificate, key, *words = sys.argv[1:]
options = dict(word.split("=", 1) for word in words if "=" in word)
lock = threading.Lock()
connections = 0
answered = 0


def report(line):
    with lock:
        print(line, flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        global connections
        super().setup()
        with lock:
            connections += 1
            self.connection_number = connections

    def status(self, body):
        """The status to answer with, and a Retry-After."""
        global answered
        words = self.path.split("?")[0].split("/")
        if words[1] == "status":
            return int(words[2]), None
        if words[1] == "refuse" and words[2] in body:
            return int(words[3]), None
        if words[1] == "first":
            with lock:
                answered += 1
                plan = words[2].split(",")[answered - 1:answered]
            if plan:
                status, _, wish = plan[0].partition(":")
                return int(status), wish
        return 200, None

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # Its sender has ended, and what was cut is no request.
            self.close_connection = True
            return
        body = body.decode()
        status, wish = self.status(body)
        request = json.dumps(
            {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body, "answer": status,
             "connection": self.connection_number})
        report("request " + request)
        time.sleep(float(options.get("delay", 0)))
        self.close_connection = "keep" not in words
        if status == 0:
            self.close_connection = True
            return
        if self.path == "/silent":
            self.rfile.read()
            return
        try:
            if self.path == "/head":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    self.wfile.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")
            self.send_response(status)
            if self.close_connection:  # Else a client may use the connection again just as it ends.
                self.send_header("Connection", "close")
            if wish:
                self.send_header("Retry-After", wish)
            if status // 100 == 3:
                self.send_header("Location", "/elsewhere")
            if self.path == "/endless":
                self.end_headers()
                while True:
                    self.wfile.write(b"x" * 65536)
            self.send_header("Content-Length", str(len(request)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(request.encode())
        except OSError:
            pass

    do_GET = do_HEAD = do_POST = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def finish_request(self, request, address):
        if "tls" in words:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            try:
                request = context.wrap_socket(request, server_side=True)
            except OSError:
                return
        super().finish_request(request, address)

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", int(options.get("port", 0))), Handler)
report(f"port {server.server_address[1]}")
server.serve_forever()
