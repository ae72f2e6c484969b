"""A web server for tests, on a free port of the loopback.

usage: web_server.py CERTIFICATE KEY [tls]
Paths: /status/N answers so; /endless has a body without end, /head a head without end; /silent never answers; all else
is answered with 200 and the request itself as JSON. Lines on stdout: `port N`, `request JSON`.
"""
import http.server
import json
import ssl
import sys
import threading

certificate, key, *words = sys.argv[1:]
lock = threading.Lock()


def report(line):
    with lock:
        print(line, flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        request = json.dumps({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body})
        report("request " + request)
        self.close_connection = True
        if self.path == "/silent":
            self.rfile.read()
            return
        try:
            if self.path == "/head":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    self.wfile.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")
            status = int(self.path.split("?")[0].split("/")[2]) if self.path.startswith("/status/") else 200
            self.send_response(status)
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


server = Server(("127.0.0.1", 0), Handler)
report(f"port {server.server_address[1]}")
server.serve_forever()
