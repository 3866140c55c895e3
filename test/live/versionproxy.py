#!/usr/bin/env python3
"""A PostgreSQL server that says it is of another major: versionproxy.py --to PORT --say 19 --port-file FILE

Passes everything on to 127.0.0.1:PORT, but for the major in server_version, which has as many digits.
"""
import argparse
import os
import re
import socket
import threading


def pump(source, sink, change):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(change(data))
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--say", required=True)
    parser.add_argument("--port-file", required=True)
    args = parser.parse_args()
    said = b"server_version\0" + args.say.encode()
    listener = socket.create_server(("127.0.0.1", 0))
    with open(args.port_file + ".new", "w", encoding="utf-8") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(args.port_file + ".new", args.port_file)
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", args.to))
        for source, sink, change in ((client, server, bytes), (server, client, lambda data: re.sub(rb"server_version\0\d\d", said, data))):
            threading.Thread(target=pump, args=(source, sink, change), daemon=True).start()


main()
