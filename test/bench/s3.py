"""s3.py - the rows of the bench that need an S3 server: the live tests' own, on loopback over TLS. Used by bench.py.

Client, S3 server and PostgreSQL share the machine's processors, so the seconds are mostly the server's; the processor
time beside them is the client's alone.
"""
import os
import random
import shutil
import subprocess
import sys

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

    def empty(self):
        self.cli("rm", "--recursive", "--quiet", f"s3://{BUCKET}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.root)


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


def backup(bench, s3, server):
    """From the database into the bucket, whole and verified. The bucket is not emptied: the warm-up's backup is the one
    that becomes the week's and the month's, as on every other day of the month."""
    env = dict(s3.env, PRODUCTION_DATABASE_URL=server.url("bench"))
    ours = ([bench.sfb, "backup"], env)
    pipe = ["bash", "-c", 'set -o pipefail; "$1" -h "$2" -U postgres -Fc -Z6 bench | "${@:3}"', "bash",
            os.path.join(server.bindir, "pg_dump"), server.base, *s3.command("cp", "--quiet", "-", f"s3://{BUCKET}/theirs")]

    bench.pair("backup to S3, gzip 6, against pg_dump -Fc -Z6 | aws s3 cp - (server 15)", "at least 3.0", ours,
               (pipe, s3.env), bench.clean_work)
    bench.clean_work()
    bench.memory("memory of a backup to S3, largest process", ours)
