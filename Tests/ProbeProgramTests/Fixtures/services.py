# Services for a scan, each named by a word: services.py CERTIFICATE KEY WORD...
#
#   http     port 80, a Server field with quotes, a backslash and an escape
#   bare     port 80, no Server field
#   plain    port 80, a Server field of one word
#   https    port 443, TLS 1.3 alone
#   tls1.N   port 443, TLS 1.N alone
#   garbage  port 443, HTTP without TLS, and bytes that are neither
#   mysql    port 3306, the greeting of a MySQL 5.7.2
#   mysql8   port 3306, the greeting of a MySQL 8.0.36
#   refusal  port 3306, MySQL's word that too many clients have come
#   silentN  port N accepts and says nothing
#
# `ready` is printed when all listen, then a word for each connection.
import socket, ssl, struct, sys, threading

certificate, key, *words = sys.argv[1:]
kept = []


def http(server):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n"
    def answer(connection):
        text = b""
        while b"\r\n\r\n" not in text:
            more = connection.recv(4096)
            if not more:
                return
            text += more
        connection.sendall(head + (b"Server: " + server + b"\r\n" if server else b"") + b"\r\n")
        connection.close()
    return answer


def packet(content):
    def answer(connection):
        connection.sendall(struct.pack("<I", len(content)) + content)
        kept.append(connection)
    return answer


def tls(answer, version=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    # Debian's OpenSSL speaks TLS before 1.2 at this level alone.
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.load_cert_chain(certificate, key)
    def wrapped(connection):
        answer(context.wrap_socket(connection, server_side=True))
    return wrapped


def garbage(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(range(256)))
    connection.close()


ODD = b'we"ird\\ \x1b[31m'
greeting = b"\n5.7.2-log\0" + b"\7\0\0\0" + b"A" * 59
VERSIONS = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
SERVICES = {
    "http": (80, http(ODD)),
    "bare": (80, http(b"")),
    "plain": (80, http(b"lab")),
    "https": (443, tls(http(b"tls13"))),
    "garbage": (443, garbage),
    "mysql": (3306, packet(greeting)),
    "mysql8": (3306, packet(greeting.replace(b"5.7.2-log", b"8.0.36"))),
    "refusal": (3306, packet(b"\xff\x10\x04#08004Too many connections")),
}

for minor, version in enumerate(VERSIONS):
    SERVICES[f"tls1.{minor}"] = (443, tls(http(f"tls1{minor}".encode()), version))


def serve(word, server, answer):
    def one(connection):
        try:
            answer(connection)
        except OSError:
            pass
    while True:
        connection = server.accept()[0]
        print(word, flush=True)
        threading.Thread(target=one, args=(connection,), daemon=True).start()


threads = []
for word in words:
    port, answer = SERVICES[word] if word in SERVICES else (int(word.removeprefix("silent")), kept.append)
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    threads.append(threading.Thread(target=serve, args=(word, server, answer)))
for thread in threads:
    thread.start()
print("ready", flush=True)
