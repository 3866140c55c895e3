#!/usr/bin/env python3
"""mailserver.py - an SMTP server for the tests, on aiosmtpd: keeps what it is sent, and refuses as it is told to.

  mailserver.py --port-file FILE --log FILE --rules FILE [--tls starttls|implicit --cert FILE --key FILE] [--login USER:PASSWORD]

The log has one JSON object a line for each mail that was taken: from, to, tls, user, data. The rules are a JSON object, read
anew for each command: {"rcpt": {"nobody@example.com": "550 5.1.1 no such user"}, "data": ["451 4.3.0 later"]}; an answer to
DATA is given once.
"""
import argparse
import asyncio
import json
import os
import ssl

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, args):
        self.args, self.used = args, 0

    def rules(self):
        with open(self.args.rules, encoding="utf-8") as file:
            return json.load(file)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        refusal = self.rules().get("rcpt", {}).get(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, session, envelope):
        refusals = self.rules().get("data", [])
        if self.used < len(refusals):
            self.used += 1
            return refusals[self.used - 1]
        line = json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None or self.args.tls == "implicit",
            "user": session.auth_data, "data": envelope.original_content.decode("ascii"),
        })
        with open(self.args.log, "a", encoding="utf-8") as log:
            log.write(line + "\n")
        return "250 2.0.0 kept"


def authenticator(login):
    def check(_server, _session, _envelope, _mechanism, data):
        given = (data.login + b":" + data.password).decode()
        return AuthResult(success=given == login, handled=False, auth_data=data.login.decode())
    return check


async def main():
    parser = argparse.ArgumentParser()
    for name in ("port-file", "log", "rules", "tls", "cert", "key", "login"):
        parser.add_argument("--" + name)
    args = parser.parse_args()
    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
    handler = Handler(args)
    options = {"hostname": "mail.test", "tls_context": context if args.tls == "starttls" else None,
               "require_starttls": args.tls == "starttls"}
    if args.login:
        options.update(auth_required=True, authenticator=authenticator(args.login), auth_require_tls=args.tls == "starttls")
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, **options), "127.0.0.1", 0, ssl=context if args.tls == "implicit" else None)
    with open(args.port_file + ".new", "w", encoding="utf-8") as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(args.port_file + ".new", args.port_file)
    await server.serve_forever()


asyncio.run(main())
