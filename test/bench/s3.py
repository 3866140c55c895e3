"""s3.py - the rows of the bench that need an S3 server: the live tests' own, on loopback over TLS. Used by bench.py.

Client, S3 server and PostgreSQL share the machine's processors, so the seconds are mostly the server's; the processor
time beside them is the client's alone.
"""
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import urllib.parse

BUCKET = "bench"


class S3:
    """A throwaway S3 server, ended when its standard input is closed: by stop(), or by our death."""

    def __init__(self, bench, aws, tool):
        self.bench, self.aws, self.tool = bench, aws, os.path.abspath(tool)
        here = os.path.dirname(os.path.abspath(__file__))
        self.root = os.path.join(bench.base, "s3")
        os.makedirs(self.root)
        self.process = subprocess.Popen([os.path.join(here, "s3-server.sh"), self.root, str(12 << 30)], env=bench.env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        settings = {}
        for line in iter(self.process.stdout.readline, "\n"):
            if not line:
                sys.exit("bench: the S3 server does not start")
            name, value = line.rstrip("\n").split("=", 1)
            settings[name] = value
        self.env = dict(bench.env, SFB_BUCKET=BUCKET, **settings)
        self.cli("mb", f"s3://{BUCKET}")

    def command(self, *args):
        return [self.aws, "--endpoint-url", self.env["AWS_ENDPOINT_URL_S3"], "s3", *args]

    def cli(self, *args):
        subprocess.run(self.command(*args), env=self.env, check=True, stdout=subprocess.DEVNULL)

    def names(self, prefix):
        listed = subprocess.run(self.command("ls", f"s3://{BUCKET}/{prefix}"), env=self.env, check=True, capture_output=True, text=True)
        return [line.split()[-1] for line in listed.stdout.splitlines()]

    def empty(self):
        self.cli("rm", "--recursive", "--quiet", f"s3://{BUCKET}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.root)


class Meter:
    """A relay before the S3 server that counts what comes back: TLS records, headers, everything."""

    def __init__(self, url):
        self.target = urllib.parse.urlsplit(url)
        self.bytes = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target.port))
            threading.Thread(target=self.pump, args=(client, server, 0), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, 1), daemon=True).start()

    def pump(self, source, sink, counts):
        try:
            while data := source.recv(1 << 16):
                self.bytes += counts * len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError: # one of them hung up
            pass


def table(bench, s3, server):
    """One table of 1 % out of an archive in S3: what has to come over the wire, and what does."""
    bench.clean_work()
    s3.empty()
    local = bench.backup(server)
    subprocess.run(local[0], env=local[1], check=True, stdout=subprocess.DEVNULL)
    dump = bench.newest()
    contents = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../live/contents.py")
    needed = int(subprocess.run([sys.executable, contents, "extent", dump, "events"], check=True, capture_output=True,
                                text=True).stdout)
    subprocess.run([bench.sfb, "backup"], env=dict(s3.env, PRODUCTION_DATABASE_URL=server.url("bench")), check=True,
                   stdout=subprocess.DEVNULL)
    url, = (f"s3://{BUCKET}/production/daily/{name}" for name in s3.names("production/daily/") if name.endswith(".dump"))
    server.psql("-d", "postgres", "-c", "CREATE DATABASE one")
    meter = Meter(s3.env["AWS_ENDPOINT_URL_S3"])
    env = dict(s3.env, STAGING_DATABASE_URL=server.url("one"), AWS_ENDPOINT_URL_S3=meter.url)
    subprocess.run([bench.sfb, "restore", "--force", "--environment", "staging", "--table", "events", url], env=env,
                   check=True, stdout=subprocess.DEVNULL)
    row = {"work": "one table of 1 % out of an archive in S3", "bar": "at most 5 % more than the table and the contents",
           "fetched": meter.bytes, "needed": needed, "archive": os.path.getsize(dump), "ratio": round(meter.bytes / needed, 3)}
    bench.rows.append(row)
    print(f"{row['work']}\n    bar: {row['bar']}\n    {row['fetched'] / 1e6:.2f} MB came over the wire, TLS and manifest included;"
          f" table and contents are {needed / 1e6:.2f} MB of {row['archive'] / 1e6:.0f} MB: {row['ratio']:.3f}", flush=True)


def upload(bench, s3):
    """One large file that does not compress, as a dump does not."""
    path = os.path.join(bench.base, "large")
    noise = random.Random(5)
    with open(path, "wb") as out:
        for _ in range(bench.options.s3_megabytes):
            out.write(noise.randbytes(1000 * 1000))
    ours = ([s3.tool, f"s3://{BUCKET}", "file", "ours", path], s3.env)
    theirs = (s3.command("cp", "--quiet", path, f"s3://{BUCKET}/theirs"), s3.env)
    bench.pair(f"upload of {bench.options.s3_megabytes} MB to S3 over TLS, against aws s3 cp",
               "not slower, a quarter of its processor time or less", ours, theirs, s3.empty)
    os.unlink(path)


def backup(bench, s3, server, major):
    """From the database into the bucket, whole and verified. The bucket is not emptied: the warm-up's backup is the one
    that becomes the week's and the month's, as on every other day of the month."""
    env = dict(s3.env, PRODUCTION_DATABASE_URL=server.url("bench"))
    method = "gzip 6" if major < 16 else "zstd 1"
    ours = ([bench.sfb, "backup", *([] if major < 16 else ["--compress-method", "zstd", "-c", "1"])], env)
    pipe = ["bash", "-c", 'set -o pipefail; "$1" -h "$2" -U postgres -Fc -Z6 bench | "${@:3}"', "bash",
            os.path.join(server.bindir, "pg_dump"), server.base, *s3.command("cp", "--quiet", "-", f"s3://{BUCKET}/theirs")]

    bench.pair(f"backup to S3, {method}, against pg_dump -Fc -Z6 | aws s3 cp - (server {major})", "at least 3.0", ours,
               (pipe, s3.env), bench.clean_work)
    bench.clean_work()
    bench.memory(f"memory of a backup to S3, {method}, largest process", ours)
