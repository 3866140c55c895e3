#!/usr/bin/env python3
"""s3fill.py - fills a bucket that anybody may write with years of backups, as the tests need them.

    s3fill.py URL CA N NEWEST MANIFEST RUN

URL is the bucket's, with a prefix or without; NEWEST is when the newest of the N daily backups was made, in seconds since
1970. MANIFEST and RUN are files of one real backup, in which names and times are changed; a dump is a few bytes.
"""
import datetime
import http.client
import json
import re
import ssl
import sys
import threading
import urllib.parse

url, ca, n, newest, manifest_path, run_path = sys.argv[1:]
target = urllib.parse.urlparse(url)
manifest = open(manifest_path).read()
size = json.loads(manifest)["size"]
run = json.loads(open(run_path).readlines()[-1])
old = re.search(r'"file":\s*"backup-(\d{8}-\d{6})', manifest).group(1)
days = iter(range(int(n)))
lock = threading.Lock()
failures = []


def objects(day):
    taken = datetime.datetime.utcfromtimestamp(int(newest) - day * 86400)
    stamp, iso = taken.strftime("%Y%m%d-%H%M%S"), taken.strftime("%Y-%m-%dT%H:%M:%SZ")
    stem = "production/daily/backup-" + stamp
    yield stem + ".dump", b"x" * size
    yield stem + ".globals.sql", b"-- roles\n"
    text = manifest.replace(old, stamp)
    yield stem + ".manifest.json", re.sub(r'("(?:started|snapshot_at|finished)":\s*)"[^"]*"', rf'\1"{iso}"', text).encode()
    one = dict(run, started=iso, taken=iso, pid=4711, backup=f"backup-{stamp}.dump", location=f"s3://{target.path[1:]}/{stem}.dump")
    yield f"production/history/{stamp}-backup-{run['host']}-4711.json", (json.dumps(one) + "\n").encode()


def work():
    connection = http.client.HTTPSConnection(target.netloc, context=ssl.create_default_context(cafile=ca))
    while True:
        with lock:
            day = next(days, None)
        if day is None or failures:
            return
        for key, body in objects(day):
            connection.request("PUT", f"{target.path}/{key}", body)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failures.append(f"{key}: {answer.status}")
                return


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("\n".join(failures) or 0)
