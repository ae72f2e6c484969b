"""A terminal of COLUMNS times ROWS whose standard output a command has; what is painted goes to ours as it is.

usage: terminal.py COLUMNS ROWS COMMAND...; each line "COLUMNS ROWS" of our input resizes it.
"""
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import tty


def resize(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))


master, slave = os.openpty()
tty.setraw(slave)
resize(master, *sys.argv[1:3])
child = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=slave)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
os.close(slave)
inputs = [master, 0]
while True:
    for ready in select.select(inputs, [], [])[0]:
        if ready == master:
            try:
                data = os.read(master, 65536)
            except OSError:
                data = b""
            if not data:
                status = child.wait()
                sys.exit(status if status >= 0 else 128 - status)
            os.write(1, data)
        else:
            line = os.read(0, 100).split()
            if len(line) == 2:
                resize(master, *line)
                # The kernel tells only the group in the foreground of a session's own terminal.
                child.send_signal(signal.SIGWINCH)
            else:
                inputs.remove(0)
