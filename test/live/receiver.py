#!/usr/bin/env python3
"""receiver.py - a webhook for the tests: writes down what comes, and answers as it is told to.

  receiver.py --port-file FILE --log FILE --rules FILE [--cert FILE --key FILE]

The log has one JSON object a line for each request: method, path, headers, body. The rules are a JSON list, read anew for
each request; the first that fits answers: {"path": REGEX, "status": 503, "times": 2, "headers": {}, "body": "", "hang": true}.
Without one the answer is 200 and "ok".
"""
import argparse
import http.server
import json
import os
import re
import ssl
import threading


class Rules:
    def __init__(self, path):
        self.path, self.lock, self.time, self.rules = path, threading.Lock(), None, []

    def take(self, path):
        with self.lock:
            stat = os.stat(self.path)
            if self.time != (stat.st_ino, stat.st_mtime_ns):
                self.time = (stat.st_ino, stat.st_mtime_ns)
                with open(self.path, encoding="utf-8") as file:
                    self.rules = json.load(file)
            for rule in self.rules:
                if re.search(rule.get("path", ""), path) and rule.get("times", 1) > 0:
                    if "times" in rule:
                        rule["times"] -= 1
                    return rule
        return {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        line = json.dumps({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body})
        with self.server.rules.lock, open(self.server.log, "a", encoding="utf-8") as log:
            log.write(line + "\n")
        rule = self.server.rules.take(self.path)
        if rule.get("hang"):
            self.server.over.wait()
        text = rule.get("body", "ok").encode()
        self.send_response(rule.get("status", 200))
        for name, value in rule.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_HEAD = do_PUT = answer

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    for name in ("port-file", "log", "rules", "cert", "key"):
        parser.add_argument("--" + name)
    args = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.rules, server.log, server.over = Rules(args.rules), args.log, threading.Event()
    if args.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with open(args.port_file + ".new", "w", encoding="utf-8") as file:
        file.write(str(server.server_address[1]))
    os.rename(args.port_file + ".new", args.port_file)
    server.serve_forever()


main()
