"""A mail server for tests, on a free port of the loopback: it does what its arguments say and reports on stdout.

usage: mail_server.py CERTIFICATE KEY [WORD...]
Words: implicit, starttls, auth=MECHANISMS, refuse-auth=CODE, rcpt=ADDRESS=CODE, data=CODE[xTIMES],
refuse-text=TEXT=CODE (of mails with it), drop[xTIMES] (after the
mail, before the answer), greeting=CODE, silent-greeting, silent-quit, silent-data, silent=COMMAND (once it comes),
silent-tls (instead of its part of the handshake).
Lines on stdout: `port N`, `session`, `command TEXT`, `auth USER PASSWORD`, `mail JSON`, `end`.
"""
import base64
import json
import socket
import ssl
import sys
import threading

certificate, key, *words = sys.argv[1:]
lock = threading.Lock()
left = {}


def value(name, default=None):
    return next((w.split("=", 1)[1] for w in words if w.startswith(name + "=")), default)


def report(line):
    with lock:
        print(line, flush=True)


def is_due(name, word):
    """Whether a behaviour with `xTIMES` is still to be shown."""
    _, _, times = word.partition("x")
    with lock:
        count = left.setdefault(name, int(times) if times else 1 << 60)
        left[name] = count - 1
        return count > 0


class Session:
    def __init__(self, connection):
        self.connection = connection
        self.file = connection.makefile("rb")
        self.tls = isinstance(connection, ssl.SSLSocket)
        self.login = None
        self.sender, self.recipients = None, []

    def say(self, text):
        self.connection.sendall((text + "\r\n").encode())

    def line(self):
        return self.file.readline(65536).decode("latin-1").rstrip("\r\n")

    def hang(self):
        self.file.read()

    def run(self):
        report("session")
        if "silent-greeting" in words:
            return self.hang()
        self.say(f"{value('greeting', '220')} test server")
        while True:
            line = self.line()
            if not line:
                return
            verb = line.split(" ")[0].upper()
            report("command " + (line if verb != "AUTH" else "AUTH"))
            if f"silent={verb}" in words:
                return self.hang()
            if verb == "QUIT":
                return self.hang() if "silent-quit" in words else self.say("221 bye")
            handler = getattr(self, "do_" + verb.lower(), None)
            if handler is None:
                self.say("500 unknown")
            elif handler(line) is False:
                return

    def do_ehlo(self, _):
        lines = ["test", "SIZE 10000000"]
        if "starttls" in words and not self.tls:
            lines.append("STARTTLS")
        if value("auth"):
            lines.append("AUTH " + value("auth"))
        self.say("\r\n".join(f"250{'-' if i + 1 < len(lines) else ' '}{t}" for i, t in enumerate(lines)))

    def do_starttls(self, _):
        self.say("220 go")
        if "silent-tls" in words:
            self.hang()
            return False
        self.connection = context().wrap_socket(self.connection, server_side=True)
        self.file, self.tls = self.connection.makefile("rb"), True

    def do_auth(self, line):
        parts = line.split(" ")
        if parts[1] == "PLAIN":
            if len(parts) < 3:
                self.say("334 ")
                parts.append(self.line())
            _, user, password = base64.b64decode(parts[2]).decode().split("\0")
        else:
            if len(parts) < 3:
                self.say("334 VXNlcm5hbWU6")
                parts.append(self.line())
            self.say("334 UGFzc3dvcmQ6")
            user, password = (base64.b64decode(t).decode() for t in (parts[2], self.line()))
        report(f"auth {parts[1]} {user} {password}")
        code = value("refuse-auth")
        # Some servers repeat what they were given.
        self.say(f"{code} no such login {user} {password}" if code else "235 welcome")

    def do_mail(self, line):
        self.sender, self.recipients = line.split("<")[1].split(">")[0], []
        self.say("250 ok")

    def do_rcpt(self, line):
        address = line.split("<")[1].split(">")[0]
        for word in words:
            if word.startswith(f"rcpt={address}="):
                return self.say(f"{word.rsplit('=', 1)[1]} 5.1.1 <{address}> \x1b[31mno")
        self.recipients.append(address)
        self.say("250 ok")

    def do_data(self, _):
        self.say("354 go")
        raw = bytearray()
        while not raw.endswith(b"\r\n.\r\n") and raw != b".\r\n":
            line = self.file.readline()
            if not line:
                return False
            raw += line
        if "silent-data" in words:
            self.hang()
            return False
        drop = next((w for w in words if w.startswith("drop")), None)
        is_dropped = drop is not None and is_due("drop", drop)
        code = value("data", "250x0")
        answer = code.split("x")[0] if is_due("data", code) else "250"
        for part, refusal in (w.split("=")[1:] for w in words if w.startswith("refuse-text=")):
            answer = refusal if part.encode() in raw else answer
        lines = bytes(raw[:-3]).split(b"\r\n")
        text = b"\r\n".join(l[1:] if l.startswith(b".") else l for l in lines)
        report("mail " + json.dumps({
            "from": self.sender, "to": self.recipients, "tls": self.tls, "data": text.decode("latin-1"),
            "raw": raw.decode("latin-1"), "answer": "drop" if is_dropped else answer}))
        if is_dropped:
            return False
        self.say(f"{answer} that is it")


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    return made


def serve(connection):
    try:
        if "implicit" in words:
            connection = context().wrap_socket(connection, server_side=True)
        session = Session(connection)
        session.run()
        connection = session.connection
    except (OSError, ValueError):
        pass
    finally:
        connection.close()
        report("end")


listener = socket.create_server(("127.0.0.1", 0), backlog=64)
report(f"port {listener.getsockname()[1]}")
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
