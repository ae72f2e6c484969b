"""A fresh clone: how long until `make run` shows who moved bytes?"""
import os
import signal
import subprocess
import tempfile
import threading
import time

from laboratory import goal

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
LIMIT = 1200


def first_row(folder):
    """Starts `make run` in a network namespace of its own, whose tracking it may switch on, with a ping in it."""
    script = f"ip link set lo up; ping -q -i 0.01 -s 1000 127.0.0.1 >/dev/null & exec make -C {folder} run SUDO="
    run = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True)
    limit = threading.Timer(60, os.killpg, (run.pid, signal.SIGTERM))
    limit.start()
    try:
        if any(line.rstrip().endswith(b"ping") for line in run.stdout):
            return
    finally:
        limit.cancel()
        os.killpg(run.pid, signal.SIGTERM)
        run.wait()
    raise SystemExit("`make run` ended without a row of the ping")


with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["git", "clone", "--quiet", SOURCE, folder], check=True)
    begin = time.monotonic()
    build = subprocess.run(["make", "-C", folder, "build"], capture_output=True, text=True, timeout=LIMIT)
    if build.returncode:
        raise SystemExit(f"`make build` failed:\n{build.stderr}")
    built = time.monotonic() - begin
    first_row(folder)
    whole = time.monotonic() - begin
goal("fresh: `make run` on a fresh clone, to its first row", whole, "s", 240, f"the build {built:.0f} s")
