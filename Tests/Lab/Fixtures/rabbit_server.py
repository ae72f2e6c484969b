"""A RabbitMQ of a test's own: its own data folder, its own epmd, free ports of the loopback.

usage: rabbit_server.py CERTIFICATE KEY FOLDER
Lines on stdin: `kill` ends the broker and all its helpers at once (SIGKILL), `start` starts it again on the same data and
ports, `ctl WORDS` runs rabbitmqctl. The end of stdin, or of this script, ends all. Lines on stdout: `ports AMQP TLS`,
`ready` after each start, `killed`, `ctl STATUS`.
"""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

certificate, key, folder = sys.argv[1:]
# As a user of its own where this is root: the broker and its tools refuse to be root.
account = pwd.getpwnam("rabbitmq") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
if os.getuid() != 0:
    user = []
programs = "/usr/lib/rabbitmq/bin"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


amqp, tls, dist, epmd = free_ports(4)
environment = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C.UTF-8",
    "HOME": folder,
    "RABBITMQ_NODENAME": "bwmon@localhost",
    "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
    "RABBITMQ_MNESIA_BASE": f"{folder}/data",
    "RABBITMQ_LOG_BASE": f"{folder}/log",
    "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
    "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    "RABBITMQ_DIST_PORT": str(dist),
    "ERL_EPMD_ADDRESS": "127.0.0.1",
    "ERL_EPMD_PORT": str(epmd),
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none",
    "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
}
running = {}


def report(line):
    print(line, flush=True)


def prepare():
    os.mkdir(folder, 0o755)
    for name in ("data", "log"):
        os.mkdir(f"{folder}/{name}")
    for source, name in ((certificate, "certificate.pem"), (key, "key.pem")):
        shutil.copy(source, f"{folder}/{name}")
    files = {
        "plugins": "[].\n",
        "rabbitmq.conf": f"""listeners.tcp.1 = 127.0.0.1:{amqp}
listeners.ssl.1 = 127.0.0.1:{tls}
ssl_options.cacertfile = {folder}/certificate.pem
ssl_options.certfile = {folder}/certificate.pem
ssl_options.keyfile = {folder}/key.pem
ssl_options.verify = verify_none
loopback_users = none
disk_free_limit.absolute = 50MB
log.file.level = warning
""",
        ".erlang.cookie": "bwmon-test",
    }
    for name, text in files.items():
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)
    os.chmod(f"{folder}/.erlang.cookie", 0o400)
    for where, folders, names in os.walk(folder):
        for name in [where] + [f"{where}/{one}" for one in folders + names]:
            os.chown(name, account.pw_uid, account.pw_gid)


def spawn(name, command):
    with open(f"{folder}/log/{name}.out", "ab") as output:
        running[name] = subprocess.Popen(
            user + command, env=environment, cwd=folder, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(port, process):
    end = time.monotonic() + 120
    while not listens(port):
        if process.poll() is not None or time.monotonic() > end:
            for where, _, names in os.walk(f"{folder}/log"):
                for name in names:
                    with open(f"{where}/{name}", errors="replace") as file:
                        sys.stderr.write(file.read()[-2000:])
            sys.exit("the broker did not start")
        time.sleep(0.05)


def start():
    spawn("broker", [f"{programs}/rabbitmq-server"])
    wait_for(amqp, running["broker"])
    wait_for(tls, running["broker"])
    report("ready")


def end(name):
    process = running.pop(name, None)
    if process:
        # The broker's helpers are in its session, not all in its group.
        session = process.pid
        members = []
        for number in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{number}/stat") as file:
                    if file.read().rsplit(")", 1)[1].split()[3] == str(session):
                        members.append(int(number))
            except OSError:
                pass
        for member in members + [session]:
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()
        # One that is on its way out has its ports and files for a while yet.
        deadline = time.monotonic() + 60
        while any(map(is_alive, members)) and time.monotonic() < deadline:
            time.sleep(0.01)


def is_alive(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def stop(*_):
    end("broker")
    end("epmd")
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0)


for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, stop)
try:
    prepare()
    spawn("epmd", ["epmd", "-port", str(epmd), "-address", "127.0.0.1"])
    wait_for(epmd, running["epmd"])
    report(f"ports {amqp} {tls}")
    start()
    for line in sys.stdin:
        words = line.split()
        if words == ["kill"]:
            end("broker")
            report("killed")
        elif words == ["start"]:
            start()
        elif words and words[0] == "ctl":
            result = subprocess.run(
                user + [f"{programs}/rabbitmqctl"] + words[1:], env=environment, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr)
            report(f"ctl {result.returncode}")
finally:
    stop()
