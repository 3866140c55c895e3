#!/usr/bin/env python3
"""A proxy between sfb and an S3 server that does what networks and services do on bad days, as it is told.

    faultproxy.py --to PORT --rules FILE --log FILE --port-file FILE [--cert PEM --key PEM]

It speaks HTTP/1.1 (over TLS when given a certificate) on a free loopback port, and passes requests on to
127.0.0.1:PORT in plain HTTP, Host and all, so that signatures stay good. For each request the first rule that fits
decides; without one it is passed on untouched. The rules are a JSON list, read again whenever the file changes:

    {"method": "PUT", "target": "partNumber=2", "skip": 1, "times": 2, "do": "reset", "after": 1000}

method and target (a regular expression, searched in path and query) select; skip lets so many pass first, times is how
often the rule fires (default 1, -1 always). What it does:

    reset     after so many bytes of the request's body (default 0) the connection is reset (RST)
    lose      passed on, answered by the server; then reset instead of the answer
    answer    status, headers, body: answered here, after the request was read ("early": before its body)
    raw       body: these bytes instead of an answer, then closed
    stall     after so many bytes of the request's body nothing moves any more
    silent    passed on, but of the answer come only so many bytes ("after"), then nothing; with none, a second line in
              the log says "held" when the server has answered
    truncate  of the answer's body come only so many bytes ("after"), then it is closed
    corrupt   a bit of the request's body at "after" is flipped
    spoil     a bit of the answer's body at "after" is flipped
    delay     seconds before it is passed on
    headers   of the answer are set ("headers"; null removes one)
    refuse    the connection is closed before anything of the request was read: "times" counts connections

The log has one line for each request: METHOD TARGET STATUS WHAT, and BYTES of an answer's body that was passed on whole.
"""
import argparse
import json
import os
import re
import socket
import ssl
import struct
import threading
import time

args = None
lock = threading.Lock()
state = {"stamp": None, "rules": []}


def log(text):
    with lock:
        with open(args.log, "a", encoding="utf-8") as f:
            f.write(text + "\n")


def rule_for(method, target):
    with lock:
        stamp = os.stat(args.rules).st_mtime_ns if os.path.exists(args.rules) else None
        if stamp != state["stamp"]:
            with open(args.rules, encoding="utf-8") as f:
                text = f.read()
            state.update(stamp=stamp, rules=[dict(r, seen=0) for r in json.loads(text or "[]")])
        for rule in state["rules"]:
            if rule["do"] == "refuse" and method is not None:
                continue
            if method is None and rule["do"] != "refuse":
                continue
            if method is not None and rule.get("method") not in (None, method):
                continue
            if method is not None and not re.search(rule.get("target", ""), target):
                continue
            rule["seen"] += 1
            turn = rule["seen"] - rule.get("skip", 0)
            if turn >= 1 and (rule.get("times", 1) < 0 or turn <= rule.get("times", 1)):
                return rule
    return None


class Gone(Exception):
    pass


class Wire:
    """A connection with a buffer, whatever carries it."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def more(self):
        try:
            got = self.sock.recv(1 << 16)
        except OSError as e:
            raise Gone() from e
        if not got:
            raise Gone()
        self.buffer += got

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        return lines[0], [tuple(line.split(":", 1)) for line in lines[1:]]

    def take(self, n):
        if not self.buffer:
            self.more()
        got, self.buffer = self.buffer[:n], self.buffer[n:]
        return got

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as e:
            raise Gone() from e

    def reset(self):
        raw = self.sock
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(raw, ssl.SSLSocket):
            raw = socket.socket(fileno=os.dup(raw.fileno()))
            os.close(self.sock.detach())
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        raise Gone()

    def stay_silent(self):
        end = time.monotonic() + 300
        self.sock.settimeout(1)
        while time.monotonic() < end:  # until the client gives up; what it still sends is not read
            try:
                if self.sock.fileno() < 0 or gone(self.sock):
                    break
            except OSError:
                break
            time.sleep(0.05)
        raise Gone()


def gone(sock):
    plain = socket.socket(fileno=os.dup(sock.fileno()))
    try:
        plain.setblocking(False)
        info = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return info[0] not in (1,)  # not ESTABLISHED any more
    finally:
        plain.close()


def value(headers, name):
    for key, text in headers:
        if key.strip().lower() == name:
            return text.strip()
    return None


def flip(data, start, at):
    if start <= at < start + len(data):
        data = bytearray(data)
        data[at - start] ^= 0x10
        data = bytes(data)
    return data


def pass_request(client, server, first, headers, rule):
    do, after = (rule or {}).get("do"), (rule or {}).get("after", 0)
    length = int(value(headers, "content-length") or 0)
    lines = [f"{k}:{v}" for k, v in headers if k.strip().lower() not in ("connection", "expect")]
    server.send("\r\n".join([first] + lines + ["Connection: close", "", ""]).encode("latin-1"))
    if value(headers, "expect"):
        client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    done = 0
    while done < length:
        data = client.take(length - done)
        if do in ("reset", "stall") and done + len(data) > after:
            server.sock.close()
            if do == "reset":
                client.reset()
            client.stay_silent()
        if do == "corrupt":
            data = flip(data, done, after)
        server.send(data)
        done += len(data)


def pass_answer(client, server, method, target, rule):
    """True if the connection stays. The log has the request before the client has the end of its answer."""
    do, after = (rule or {}).get("do"), (rule or {}).get("after", 0)
    first, headers = server.head()
    while first.split()[1] == "100":
        first, headers = server.head()
    status = int(first.split()[1])
    if do == "lose":
        client.reset()
    headers = [(k, v) for k, v in headers if k.strip().lower() != "connection"]
    if do == "headers":
        for name, text in rule["headers"].items():
            headers = [(k, v) for k, v in headers if k.strip().lower() != name.lower()]
            if text is not None:
                headers.append((name, " " + text))
    if do == "silent" and after == 0:
        log(f"{method} {target} {status} held")
        client.stay_silent()
    kept = "\r\n".join([first] + [f"{k}:{v}" for k, v in headers] + ["", ""]).encode("latin-1")
    length, done = value(headers, "content-length"), 0
    size = 0 if method == "HEAD" or status in (204, 304) else length and int(length)
    while size is None or done < size:
        try:
            data = server.take(1 << 16)
        except Gone:
            break
        client.send(kept)
        kept = flip(data, done, after) if do == "spoil" else data
        if do in ("truncate", "silent") and done + len(data) > after:
            client.send(kept[: after - done])
            if do == "truncate":
                client.sock.close()
                raise Gone()
            client.stay_silent()
        done += len(data)
    log(f"{method} {target} {status} {do or '-'} {done}")
    client.send(kept)
    return size is not None or value(headers, "transfer-encoding") == "chunked"


def answer_here(client, method, headers, rule):
    length = int(value(headers, "content-length") or 0)
    if not rule.get("early"):
        if value(headers, "expect"):
            client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while length > 0:
            length -= len(client.take(length))
    body = rule.get("body", "").encode()
    fields = {"Content-Length": str(len(body)), "x-amz-request-id": "FAULT0001", **rule.get("headers", {})}
    head = [f"HTTP/1.1 {rule['status']} Told"] + [f"{k}: {v}" for k, v in fields.items()] + ["", ""]
    client.send("\r\n".join(head).encode("latin-1") + (body if method != "HEAD" else b""))
    return length == 0


def one_request(client):
    first, headers = client.head()
    method, target, _ = first.split(" ", 2)
    rule = rule_for(method, target)
    do = (rule or {}).get("do")
    what = do or "-"
    if do == "delay":
        time.sleep(rule["seconds"])
    if do == "answer":
        log(f"{method} {target} {rule['status']} {what}")
        return answer_here(client, method, headers, rule)
    if do == "raw":
        log(f"{method} {target} 0 {what}")
        client.send(rule["body"].encode("latin-1"))
        client.sock.close()
        raise Gone()
    if do in ("reset", "stall") and int(value(headers, "content-length") or 0) <= rule.get("after", 0):
        log(f"{method} {target} 0 {what}")
        if do == "reset":
            client.reset()
        client.stay_silent()
    server = Wire(socket.create_connection(("127.0.0.1", args.to)))
    try:
        if do in ("reset", "stall", "lose", "silent", "truncate"):
            log(f"{method} {target} 0 {what}")
        pass_request(client, server, first, headers, rule)
        return pass_answer(client, server, method, target, rule)
    finally:
        server.sock.close()


def serve(sock, context):
    try:
        rule = rule_for(None, None)
        if rule:
            log("- - 0 refuse")
            Wire(sock).reset()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        client = Wire(sock)
        while one_request(client):
            pass
    except (Gone, OSError, ssl.SSLError):
        pass
    finally:
        try:
            sock.close()
        except OSError:
            pass


def main():
    global args
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    for name in ("rules", "log", "port-file"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    args = parser.parse_args()
    context = None
    if args.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(args.port_file + ".new", "w", encoding="utf-8") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(args.port_file + ".new", args.port_file)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, context), daemon=True).start()


main()
