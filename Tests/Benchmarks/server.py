"""nginx with a file of 10 kB and without keep-alive, and ab, which asks for it."""
import os
import re
import subprocess

PORT = 8088
CONFIGURATION = """
worker_processes 2; pid {0}/pid; error_log {0}/error; events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_timeout 0; sendfile on; server {{ listen 127.0.0.1:{1}; root {0}; }} }}
"""


def serve(folder):
    """Starts nginx with a file of 10 kB; returns its process."""
    os.chmod(folder, 0o755)
    with open(f"{folder}/f", "wb") as file:
        file.write(b"x" * 10_000)
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(CONFIGURATION.format(folder, PORT))
    return subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-g", "daemon off;"], stderr=subprocess.DEVNULL)


def load(requests):
    """What ab says: requests a second, bytes."""
    text = subprocess.run(
        ["ab", "-q", "-c", "8", "-n", str(requests), f"http://127.0.0.1:{PORT}/f"], capture_output=True, text=True)
    if text.returncode:
        return None
    rate = float(re.search(r"Requests per second: +([\d.]+)", text.stdout)[1])
    return rate, int(re.search(r"Total transferred: +(\d+)", text.stdout)[1])
