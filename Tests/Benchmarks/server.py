"""nginx with a file of 10 kB and without keep-alive, and ab, which asks for it."""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time

PORT = 8088
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
    deadline = time.monotonic() + 10
    while not load(1):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"nginx does not answer: see {folder}/error")
        # ab tells only whether it answers now.
        time.sleep(0.01)
    yield
    process.terminate()
    process.wait()
    shutil.rmtree(folder)


def load(requests):
    """What ab says: requests a second, bytes."""
    text = subprocess.run(
        ["ab", "-q", "-c", "8", "-n", str(requests), f"http://127.0.0.1:{PORT}/f"], capture_output=True, text=True)
    if text.returncode:
        return None
    rate = float(re.search(r"Requests per second: +([\d.]+)", text.stdout)[1])
    return rate, int(re.search(r"Total transferred: +(\d+)", text.stdout)[1])
