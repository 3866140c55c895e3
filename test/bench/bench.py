#!/usr/bin/env python3
"""bench.py - times sfb and its rivals in turn and prints ratios. Started by run.sh.

Each row is a pair: sfb's command and the other's, run A B A B ... after one warm-up of each. What counts is the ratio
of the two in each round, since a shared machine's speed drifts but not within seconds. Memory is the peak of sfb's own
process without its pg_dump's, as getrusage tells it for whole trees it is the largest single process.
"""
import argparse
import json
import os
import pwd
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import s3


class Server:
    """A throwaway PostgreSQL on a socket, with settings that an ordinary small server has."""

    def __init__(self, bindir, base):
        self.bindir, self.base = bindir, base
        self.data = os.path.join(base, "data")
        os.makedirs(base)
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(base, self.user.pw_uid, self.user.pw_gid)
        self.call("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--locale=C.UTF-8", "-E", "UTF8")
        options = (f"-c listen_addresses= -c unix_socket_directories={base} -c shared_buffers=1GB -c max_wal_size=8GB"
                   " -c checkpoint_timeout=1h -c synchronous_commit=off -c autovacuum=off")
        self.call("pg_ctl", "-D", self.data, "-w", "-l", os.path.join(base, "log"), "-o", options, "start")

    def call(self, program, *args, **more):
        extra = {"user": self.user.pw_uid, "group": self.user.pw_gid} if self.user else {}
        subprocess.run([os.path.join(self.bindir, program), *args], check=True, stdout=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL, **extra, **more)

    def stop(self):
        self.call("pg_ctl", "-D", self.data, "-m", "immediate", "stop")

    def psql(self, *args):
        done = subprocess.run([os.path.join(self.bindir, "psql"), "-X", "-q", "-At", "-h", self.base, "-U", "postgres", *args],
                              check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def url(self, database):
        return f"postgresql://postgres@/{database}?host={self.base}"


def timed(command, env, cwd):
    """Wall seconds, processor seconds and peak KiB of the largest process in the command's tree."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    process = subprocess.Popen(command, env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, errors = process.communicate()
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} ended with {process.returncode}: {errors.decode()[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def peak_kib(command, env, cwd):
    """Peak KiB of the process itself and each of its children, measured by the time(1) of a wrapper: the largest."""
    script = ("import resource,subprocess,sys;"
              "r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL).returncode;"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);sys.exit(r)")
    done = subprocess.run([sys.executable, "-c", script, *command], env=env, cwd=cwd, check=True, capture_output=True, text=True)
    return int(done.stdout)


class Bench:
    def __init__(self, options):
        self.options = options
        self.base = tempfile.mkdtemp(prefix="sfb-bench.")
        os.chmod(self.base, 0o755)
        self.rows, self.servers = [], []
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "SFB_", "AWS_"))}
        for name in ("work", "cache", "log", "state"):
            os.makedirs(os.path.join(self.base, name))
            self.env[f"SFB_{name.upper()}_DIR"] = os.path.join(self.base, name)
        self.env["SFB_CACHE_DIR"] = ""
        self.sfb = os.path.abspath(options.sfb)

    def server(self, name, bindir):
        print(f"bench: filling {name} with {self.options.megabytes} MB ({self.options.shape})", file=sys.stderr)
        if bindir.startswith(os.path.expanduser("~")): # where the server's user may not look
            copy = os.path.join(self.base, name + "-programs")
            if not os.path.exists(copy):
                shutil.copytree(os.path.dirname(bindir), copy, symlinks=True)
            bindir = os.path.join(copy, "bin")
        server = Server(bindir, os.path.join(self.base, name))
        self.servers.append(server)
        server.psql("-d", "postgres", "-c", "CREATE DATABASE bench")
        server.psql("-d", "bench", "-v", f"mb={self.options.megabytes}", "-f",
                    os.path.join(os.path.dirname(os.path.abspath(__file__)), self.options.shape + ".sql"))
        return server

    def close(self):
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    def clean_work(self):
        work = self.env["SFB_WORK_DIR"]
        for name in os.listdir(work):
            os.unlink(os.path.join(work, name))

    def backup(self, server, *options):
        return [self.sfb, "backup", "--local-only", *options], dict(self.env, PRODUCTION_DATABASE_URL=server.url("bench"))

    def newest(self):
        work = self.env["SFB_WORK_DIR"]
        return max((os.path.join(work, n) for n in os.listdir(work) if n.endswith(".dump")), key=os.path.getmtime)

    def pair(self, work, bar, ours, theirs, reset=lambda: None):
        """ours, theirs: (command, environment). bar: what the ratio has to be, as text and as a test."""
        ratios, ours_s, theirs_s, cpu = [], [], [], []
        for round_number in range(self.options.runs + 1):
            reset()
            a, a_cpu = timed(*ours, self.base)
            reset()
            b, b_cpu = timed(*theirs, self.base)
            if round_number > 0:
                ours_s.append(a), theirs_s.append(b), cpu.append((a_cpu, b_cpu))
                ratios.append(b / a)
        self.rows.append({
            "work": work, "bar": bar, "speed": spread(ratios), "seconds": spread(ours_s), "other_seconds": spread(theirs_s),
            "cpu_seconds": round(statistics.median(c[0] for c in cpu), 2),
            "other_cpu_seconds": round(statistics.median(c[1] for c in cpu), 2),
            "cpu_share": spread([c[0] / c[1] for c in cpu]),
        })
        print_row(self.rows[-1])

    def memory(self, work, ours):
        mib = round(peak_kib(*ours, self.base) / 1024, 1)
        self.rows.append({"work": work, "bar": "at most 200 MiB", "mib": mib})
        print(f"{work}: {mib} MiB (bar: at most 200 MiB)", flush=True)


def spread(values):
    return {"min": round(min(values), 3), "median": round(statistics.median(values), 3), "max": round(max(values), 3)}


def print_row(row):
    speed, size = row["speed"], ""
    if "size" in row:
        size = f"  size {row['size'] / 1e6:.0f} MB, other {row['other_size'] / 1e6:.0f} MB"
    print(f"{row['work']}\n    bar: {row['bar']}\n    times as fast: {speed['median']:.2f} (min {speed['min']:.2f}, max {speed['max']:.2f})"
          f"  {row['seconds']['median']:.1f} s against {row['other_seconds']['median']:.1f} s"
          f"  cpu {row['cpu_seconds']} s against {row['other_cpu_seconds']} s, {row['cpu_share']['median']:.2f} of it"
          f" (min {row['cpu_share']['min']:.2f}, max {row['cpu_share']['max']:.2f}){size}", flush=True)


def backups(bench, server, version):
    stock = os.path.join(bench.base, "stock.dump")
    pg_dump = [os.path.join(server.bindir, "pg_dump"), "-h", server.base, "-U", "postgres", "-Fc", "-Z6", "-f", stock, "bench"]
    floor = ["sh", "-c", 'exec "$@" >/dev/null', "sh", os.path.join(server.bindir, "pg_dump"), "-h", server.base, "-U",
             "postgres", "-Fc", "-Z0", "bench"]

    def sizes():
        return {"size": os.path.getsize(bench.newest()), "other_size": os.path.getsize(stock)}

    reset = bench.clean_work
    def with_sizes(command):
        timed(*command, bench.base)
        bench.rows[-1].update(sizes())
        print_row(bench.rows[-1])

    if version == 15:
        bench.pair("backup, gzip 6, local file, against pg_dump -Fc -Z6 (server 15)", "at least 3.0, not larger",
                   bench.backup(server), (pg_dump, bench.env), reset)
        with_sizes(bench.backup(server))
        return
    bench.pair("backup, zstd 1, local file, against pg_dump -Fc -Z6 (server 17)", "at least 5, not larger",
               bench.backup(server, "--compress-method", "zstd", "-c", "1"), (pg_dump, bench.env), reset)
    with_sizes(bench.backup(server, "--compress-method", "zstd", "-c", "1"))
    bench.pair("backup, zstd 1, against the floor pg_dump -Fc -Z0 > /dev/null (server 17)", "at least 0.67",
               bench.backup(server, "--compress-method", "zstd", "-c", "1"), (floor, bench.env), reset)


def restores(bench, server):
    bench.clean_work()
    timed(*bench.backup(server), bench.base)
    dump = bench.newest()
    stock = os.path.join(bench.base, "stock.dump")
    jobs = str(min(2, os.cpu_count() or 2))
    ours = ([bench.sfb, "restore", "--force", "--environment", "staging", dump],
            dict(bench.env, STAGING_DATABASE_URL=server.url("restored")))
    theirs = ([os.path.join(server.bindir, "pg_restore"), "-j", jobs, "-h", server.base, "-U", "postgres", "-d", "restored", stock],
              bench.env)

    def reset():
        server.psql("-d", "postgres", "-c", "DROP DATABASE IF EXISTS restored")
        server.psql("-d", "postgres", "-c", "CREATE DATABASE restored")
        server.psql("-d", "postgres", "-c", "CHECKPOINT")

    bench.pair("restore of a whole database, proof included, against pg_restore -j2 (server 15)", "not slower", ours, theirs,
               reset)


def drills(bench, server):
    """A whole drill (restored beside, proven, examined, compared with production, dropped) against the restore alone."""
    bench.clean_work()
    timed(*bench.backup(server), bench.base)
    dump = bench.newest()
    ours = ([bench.sfb, "drill", dump],
            dict(bench.env, STAGING_DATABASE_URL=server.url("restored"), PRODUCTION_DATABASE_URL=server.url("bench")))
    theirs = ([bench.sfb, "restore", "--force", "--environment", "staging", dump],
              dict(bench.env, STAGING_DATABASE_URL=server.url("restored")))

    def reset():
        server.psql("-d", "postgres", "-c", "DROP DATABASE IF EXISTS restored")
        server.psql("-d", "postgres", "-c", "CHECKPOINT")

    bench.pair("drill, proof and report included, against the restore of the same backup (server 15)", "at least 0.83", ours,
               theirs, reset)


def idle(bench):
    times = []
    for _ in range(50):
        start = time.perf_counter()
        subprocess.run([bench.sfb, "--version"], stdout=subprocess.DEVNULL, check=True)
        times.append((time.perf_counter() - start) * 1000)
    bench.rows.append({"work": "idle start, sfb --version", "bar": "at most 10 ms", "ms": spread(times)})
    print(f"idle start, sfb --version: median {spread(times)['median']:.1f} ms (bar: at most 10 ms)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("sfb", "pg15", "pg17", "aws", "store-tool", "json"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--shape", choices=("mixed", "documents"), default="mixed", help="of the database")
    parser.add_argument("--s3-megabytes", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", help="some of the default's",
                        default="idle,backup15,memory,restore,drill,s3-backup,s3-table,s3-upload,backup17,s3-backup17")
    options = parser.parse_args()
    wanted = set(options.only.split(","))
    bench = Bench(options)
    try:
        if "idle" in wanted:
            idle(bench)
        if "s3-upload" in wanted:
            with s3.S3(bench, options.aws, options.store_tool) as store:
                s3.upload(bench, store)
        if wanted & {"backup15", "restore", "memory", "drill", "s3-backup", "s3-table"}:
            server = bench.server("pg15", options.pg15)
            if wanted & {"backup15", "restore"}:
                backups(bench, server, 15)
            if "memory" in wanted:
                bench.clean_work()
                bench.memory("memory of a backup, largest process", bench.backup(server))
            if "restore" in wanted:
                restores(bench, server)
            if "drill" in wanted:
                drills(bench, server)
            if wanted & {"s3-backup", "s3-table"}:
                with s3.S3(bench, options.aws, options.store_tool) as store:
                    if "s3-backup" in wanted:
                        s3.backup(bench, store, server, 15)
                    if "s3-table" in wanted:
                        s3.table(bench, store, server)
            bench.servers.pop().stop()
            shutil.rmtree(server.base)
        if wanted & {"backup17", "s3-backup17"}:
            server = bench.server("pg17", options.pg17)
            if "backup17" in wanted:
                backups(bench, server, 17)
            if "s3-backup17" in wanted:
                with s3.S3(bench, options.aws, options.store_tool) as store:
                    s3.backup(bench, store, server, 17)
    finally:
        bench.close()
    with open(options.json, "w", encoding="utf-8") as out:
        json.dump({"megabytes": options.megabytes, "shape": options.shape, "runs": options.runs, "cpus": os.cpu_count(), "rows": bench.rows}, out, indent=2)
        out.write("\n")


if __name__ == "__main__":
    main()
