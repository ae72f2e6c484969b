"""Asks a web server at a steady pace, with a connection for each request. usage: paced_requests.py HOST PORT RATE COUNT

Says how many answers were whole. Where the machine is too slow it asks as fast as it can.
"""
import socket
import sys
import time

HOST, PORT, RATE, COUNT = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])


def ask():
    with socket.create_connection((HOST, PORT)) as server:
        server.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        answer = b""
        while part := server.recv(1 << 16):
            answer += part
    return answer.startswith(b"HTTP/1.1 200") and len(answer) > 10_000


begin, whole = time.monotonic(), 0
for number in range(COUNT):
    time.sleep(max(0.0, begin + number / RATE - time.monotonic()))
    whole += ask()
print(whole)
