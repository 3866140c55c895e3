#!/usr/bin/env python3
"""An HTTP proxy as companies have it: CONNECT and nothing else.

    connectproxy.py --log FILE --port-file FILE [--user NAME:PASSWORD] [--busy N] [--to PORT]

Tunnels to whatever is asked for, on loopback only. With --user it wants that in Proxy-Authorization, and answers 407
without; with --busy it answers 503 so many times first; with --to all tunnels end at that port. The log has a line for each request: METHOD TARGET STATUS.
"""
import argparse
import base64
import os
import socket
import threading


def log(args, text):
    with open(args.log, "a", encoding="utf-8") as f:
        f.write(text + "\n")


def pump(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass
    for s in (source, target):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client, args):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(1 << 16)
        if not data:
            return client.close()
        head += data
    lines = head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
    status = 200
    if method != "CONNECT":
        status = 405
    elif args.user and headers.get("proxy-authorization") != "Basic " + base64.b64encode(args.user.encode()).decode():
        status = 407
    elif args.busy > 0:
        args.busy -= 1
        status = 503
    server = None
    if status == 200:
        host, port = ("localhost", args.to) if args.to else target.rsplit(":", 1)
        try:
            server = socket.create_connection(("127.0.0.1" if host.endswith("localhost") else host, int(port)))
        except OSError:
            status = 502
    log(args, f"{method} {target} {status}")
    more = 'Proxy-Authenticate: Basic realm="x"\r\n' if status == 407 else ""
    length = "" if status == 200 else "Content-Length: 0\r\n"
    client.sendall(f"HTTP/1.1 {status} Told\r\n{more}{length}\r\n".encode())
    if server is None:
        return client.close()
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    return pump(client, server)


def main():
    parser = argparse.ArgumentParser()
    for name in ("log", "port-file"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--user")
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--to", type=int)
    args = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(args.port_file + ".new", "w", encoding="utf-8") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(args.port_file + ".new", args.port_file)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, args), daemon=True).start()


main()
