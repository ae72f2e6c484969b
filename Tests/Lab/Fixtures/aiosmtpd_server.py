"""A mail server by the aiosmtpd project, for tests, on a free port of the loopback: STARTTLS is required, and a login.

usage: aiosmtpd_server.py CERTIFICATE KEY
Lines on stdout: `port N`, `mail JSON` with what the server and Python's mail parser understood.
"""
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

certificate, key = sys.argv[1:3]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print("mail " + json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
            "data": message.get_content(), "raw": message["Subject"], "answer": str(len(message.defects)),
        }), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    # Not handled: the server is to answer.
    return AuthResult(success=data.login == b"user" and data.password == b"secret", handled=False)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), tls_context=context, require_starttls=True, auth_required=True,
                     authenticator=authenticate, loop=loop), "127.0.0.1", 0)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
