"""nginx with a file of 10 kB and without keep-alive, and ab, which asks for it."""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time

PORT = 8088
# ab takes no fewer requests than it has connections.
CONNECTIONS = 8
# Of one address; then the next asks, so that few entries of the table take the ends of an earlier one.
PORTS = 20_000
CONFIGURATION = """
worker_processes 2; pid {0}/pid; error_log {0}/error; events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_timeout 0; sendfile on; server {{ listen 127.0.0.1:{1}; root {0}; }} }}
"""


@contextlib.contextmanager
def nginx():
    """nginx at work."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    with open(f"{folder}/f", "wb") as file:
        file.write(b"x" * 10_000)
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(CONFIGURATION.format(folder, PORT))
    process = subprocess.Popen(
        ["nginx", "-c", f"{folder}/nginx.conf", "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not load(CONNECTIONS):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("nginx does not answer:\n" + open(f"{folder}/error").read())
            # Nothing tells when it listens: it is tried again.
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def load(requests):
    """What ab says: requests a second, bytes. Nothing where the server does not answer."""
    seconds, bytes_moved = 0, 0
    for part in range(0, requests, PORTS):
        count = min(PORTS, requests - part)
        source = f"127.0.0.{2 + part // PORTS}"
        text = subprocess.run(
            ["ab", "-q", "-c", str(CONNECTIONS), "-n", str(count), "-B", source, f"http://127.0.0.1:{PORT}/f"],
            capture_output=True, text=True)
        if text.returncode:
            return None
        seconds += count / float(re.search(r"Requests per second: +([\d.]+)", text.stdout)[1])
        bytes_moved += int(re.search(r"Total transferred: +(\d+)", text.stdout)[1])
    return requests / seconds, bytes_moved
