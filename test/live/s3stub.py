#!/usr/bin/env python3
"""What no server for the tests answers: a small S3 that is strict, STS, IMDSv2, a container's credentials.

    s3stub.py --log FILE --port-file FILE [--cert PEM --key PEM]

Every S3 and STS request's signature is verified here, by code of our own that shares nothing with sfb's; so are
x-amz-content-sha256 and Content-MD5, which must be there for every body. What is known: access keys STUBKEY (secret
stubsecret) and, with session tokens, those that STS, IMDS and the container hand out. Objects live in memory. A bucket's
name says what is odd about it:

    put-only     everything but PutObject and its multipart brothers is AccessDenied, aborts too
    sealed       needs "x-amz-server-side-encryption: AES256" on PutObject and CreateMultipartUpload, and echoes it
    kms          needs aws:kms and key id k1; ETags are no MD5s
    other-sse    says it encrypted with something else than asked
    odd-etag     ETags are no MD5s; no-etag: there are none on completion; bad-etag: MD5s of something else
    frankfurt    is in eu-central-1: 400 AuthorizationHeaderMalformed for any other; moved: 301 and x-amz-bucket-region
    temporary    is for now at another port (--elsewhere): 307
    checksums    answers x-amz-checksum-sha256 of what it got
    bare         knows no encryption: a header that asks for it is InvalidArgument
    contended    somebody else is writing the same object just now: 409 to the first PutObject that must replace nothing,
                 and to every completion that must not
    ending       the session token ends at the first request of each kind: see ends()
    many         lists 100,000 keys; garbage, endless, html, no-token, circle: lists nonsense
    no-ranges, no-pins: knows no Range, no If-Match
    error-200    CompleteMultipartUpload says 200 and InternalError the first time
    versioned    answers x-amz-version-id; knows versioning, object lock, encryption, location
    slow         503 SlowDown with Retry-After: 1, every second request
    needs-token  ExpiredToken unless the session token is FRESH

The log has one line for each request: METHOD TARGET STATUS CODE MESSAGE.
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import re
import socketserver
import ssl
import threading
import time
import urllib.parse

args = None
lock = threading.Lock()
objects, uploads, counters = {}, {}, {}
kinds, ended = set(), set()  # of bucket "ending"
KEYS = {"STUBKEY": "stubsecret", "ROLEKEY": "rolesecret", "IMDSKEY": "imdssecret", "TASKKEY": "tasksecret"}
TOKENS = {"ROLEKEY", "IMDSKEY", "TASKKEY"}


def count(name):
    with lock:
        counters[name] = counters.get(name, 0) + 1
        return counters[name]


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def quote(text, safe="-_.~"):
    return urllib.parse.quote(text, safe=safe)


def in_seconds(n):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Refused(Exception):
    def __init__(self, status, code, message="", headers=None, body=""):
        super().__init__(code)
        self.status, self.code, self.message, self.headers, self.body = status, code, message, headers or {}, body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "stub", ""

    # ---- signatures ----

    def verify(self, service):
        """Refuses what is not signed as AWS wants it. Returns the region of the scope."""
        auth = self.headers.get("Authorization", "")
        m = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
                         r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})", auth)
        if not m:
            raise Refused(403, "AccessDenied", "no signature: " + auth)
        key, day, region, named, names, signature = m.groups()
        if named != service or key not in KEYS:
            raise Refused(403, "InvalidAccessKeyId", key)
        names = names.split(";")
        sent = {k.lower() for k in self.headers.keys()}
        needed = {"host"} | {n for n in sent if n.startswith("x-amz-") or n in ("content-md5", "range", "if-match")}
        if names != sorted(names) or not needed <= set(names):
            raise Refused(403, "AccessDenied", "not signed: " + " ".join(sorted(needed - set(names))))
        stamp = self.headers["x-amz-date"]
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=args.clock)
        then = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if abs((now - then).total_seconds()) > 900:
            raise Refused(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
        path, _, query = self.path.partition("?")
        pairs = sorted((quote(k), quote(v)) for k, v in urllib.parse.parse_qsl(query, keep_blank_values=True))
        if service == "s3":
            canonical_path = quote(urllib.parse.unquote(path), safe="/-_.~")
            if canonical_path != path:
                raise Refused(403, "SignatureDoesNotMatch", "path is sent in another encoding than signed")
        else:
            canonical_path = path
        payload = self.headers.get("x-amz-content-sha256") or hashlib.sha256(self.body).hexdigest()
        canonical = "\n".join([self.command, canonical_path, "&".join("=".join(p) for p in pairs)] +
                              [n + ":" + " ".join(",".join(self.headers.get_all(n)).split()) for n in names] +
                              ["", ";".join(names), payload])
        scope = f"{day}/{region}/{service}/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        k = sign(sign(sign(sign(("AWS4" + KEYS[key]).encode(), day), region), service), "aws4_request")
        if hmac.new(k, text.encode(), hashlib.sha256).hexdigest() != signature:
            raise Refused(403, "SignatureDoesNotMatch", canonical.replace("\n", "|"))
        token = self.headers.get("x-amz-security-token")
        if (key in TOKENS) != (token is not None):
            raise Refused(403, "InvalidToken", "a token where none belongs, or none where one does")
        if token and token.startswith("OLD"):
            raise Refused(400, "ExpiredToken", "The provided token has expired.")
        return region

    def check_body(self):
        sha, md5 = self.headers.get("x-amz-content-sha256"), self.headers.get("Content-MD5")
        if sha is None:
            raise Refused(400, "InvalidRequest", "x-amz-content-sha256 is missing")
        if sha == "UNSIGNED-PAYLOAD" and not args.cert:
            raise Refused(400, "InvalidRequest", "an unsigned body over plain http")
        if sha != "UNSIGNED-PAYLOAD" and sha != hashlib.sha256(self.body).hexdigest():
            raise Refused(400, "XAmzContentSHA256Mismatch")
        if self.body and md5 is None:
            raise Refused(400, "InvalidRequest", "Content-MD5 is missing")
        if md5 is not None and base64.b64decode(md5) != hashlib.md5(self.body).digest():
            raise Refused(400, "BadDigest")
        for name in self.headers:
            if name.lower() in ("x-amz-trailer", "x-amz-sdk-checksum-algorithm") or "chunked" in self.headers[name] or \
                    name.lower().startswith("x-amz-checksum-"):
                raise Refused(501, "NotImplemented", "no SDK's checksums here: " + name)

    # ---- S3 ----

    def encryption(self, bucket, creating):
        """Headers of the answer, for a bucket that has an opinion."""
        asked = self.headers.get("x-amz-server-side-encryption")
        if bucket in ("sealed", "put-only") and creating and asked != "AES256":
            raise Refused(403, "AccessDenied", "explicit deny: not encrypted")
        if bucket == "bare" and any("encryption" in name.lower() for name in self.headers):
            raise Refused(400, "InvalidArgument", "no encryption here")
        if bucket == "kms":
            if creating and (asked != "aws:kms" or self.headers.get("x-amz-server-side-encryption-aws-kms-key-id") != "k1"):
                raise Refused(403, "AccessDenied", "explicit deny: not with that key")
            return {"x-amz-server-side-encryption": "aws:kms"}
        if bucket == "other-sse":
            return {"x-amz-server-side-encryption": "aws:kms"}
        return {"x-amz-server-side-encryption": asked or "AES256"} if bucket not in ("plain", "bare") else {}

    def etag(self, bucket, text):
        if bucket in ("kms", "odd-etag"):
            return '"' + hashlib.sha256(text.encode()).hexdigest()[:20] + '-odd"' if bucket == "odd-etag" else \
                '"' + hashlib.sha1(text.encode()).hexdigest()[:32] + '"'
        if bucket == "bad-etag":
            return '"' + hashlib.md5(text.encode()).hexdigest() + text[32:] + '"'
        return f'"{text}"'

    def region(self, bucket, region):
        if bucket == "frankfurt" and region != "eu-central-1":
            raise Refused(400, "AuthorizationHeaderMalformed", f"the region '{region}' is wrong; expecting 'eu-central-1'",
                          body="<Region>eu-central-1</Region>")
        if bucket == "moved" and region != "eu-central-1":
            raise Refused(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-central-1"})
        if bucket == "temporary":
            raise Refused(307, "TemporaryRedirect", headers={"Location": args.elsewhere + self.path})
        if bucket == "nowhere" and region != "":
            raise Refused(301, "PermanentRedirect", headers={"x-amz-bucket-region": "mars-" + str(count("mars"))})

    def allowed(self, bucket, query, key):
        if bucket == "put-only":
            put = self.command == "PUT" and key and "x-amz-copy-source" not in self.headers
            multipart = self.command == "POST" and ("uploads" in query or "uploadId" in query)
            if not put and not multipart:
                raise Refused(403, "AccessDenied", "")
        if bucket == "slow" and count("slow") % 2 == 1:
            raise Refused(503, "SlowDown", "Please reduce your request rate.", headers={"Retry-After": "1"})
        if bucket == "needs-token" and self.headers.get("x-amz-security-token") != "FRESH":
            raise Refused(400, "ExpiredToken", "The provided token has expired.")

    def ends(self, key, query):
        """With the first request of a kind (method, what for, of which object) the token that it came with has ended."""
        token = self.headers.get("x-amz-security-token")
        what = next((name for name in ("uploads", "partNumber", "uploadId", "list-type") if name in query), "")
        kind = (self.command, what, re.sub(r"\d{8}-\d{6}", "", key))
        with lock:
            if kind not in kinds:
                kinds.add(kind)
                ended.add(token)
        if token in ended:
            raise Refused(400, "ExpiredToken", "The provided token has expired.")

    def s3(self, path, query):
        self.check_body()
        region = self.verify("s3")
        host = self.headers["Host"].rsplit(":", 1)[0]
        if host.endswith(".localhost"):
            path = "/" + host[: -len(".localhost")] + path
        bucket, _, key = urllib.parse.unquote(path)[1:].partition("/")
        if bucket == "unconditional" and "If-None-Match" in self.headers:
            raise Refused(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
        if bucket == "missing":
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        self.region(bucket, region)
        self.allowed(bucket, query, key)
        if bucket == "ending":
            self.ends(key, query)
        if key:
            return getattr(self, "object_" + self.command.lower())(bucket, key, query)
        return getattr(self, "bucket_" + self.command.lower())(bucket, query)

    def object_put(self, bucket, key, query):
        md5 = hashlib.md5(self.body).hexdigest()
        headers = {}
        if bucket == "checksums":
            headers["x-amz-checksum-sha256"] = base64.b64encode(hashlib.sha256(self.body).digest()).decode()
        if "uploadId" in query:
            upload = uploads.get(query["uploadId"])
            if upload is None:
                raise Refused(404, "NoSuchUpload")
            headers.update(self.encryption(bucket, False), ETag=self.etag(bucket if bucket != "no-etag" else "", md5))
            upload["parts"][int(query["partNumber"])] = (headers["ETag"], self.body)
            return self.reply(200, headers)
        headers.update(self.encryption(bucket, True))
        if "x-amz-copy-source" in self.headers:
            source = tuple(urllib.parse.unquote(self.headers["x-amz-copy-source"]).lstrip("/").split("/", 1))
            if source not in objects:
                raise Refused(404, "NoSuchKey")
            objects[bucket, key] = objects[source]
            return self.reply(200, headers, f"<CopyObjectResult><ETag>{objects[source][1]}</ETag></CopyObjectResult>")
        self.must_be_absent(bucket, key)
        if bucket == "contended" and "If-None-Match" in self.headers and count("contended" + key) == 1:
            raise Refused(409, "ConditionalRequestConflict")
        headers["ETag"] = self.etag(bucket, md5)
        if bucket == "versioned":
            headers["x-amz-version-id"] = "v" + str(count("version"))
        objects[bucket, key] = (self.body, headers["ETag"])
        return self.reply(200, headers)

    def must_be_absent(self, bucket, key):
        if self.headers.get("If-None-Match") == "*" and (bucket, key) in objects:
            raise Refused(412, "PreconditionFailed")

    def object_post(self, bucket, key, query):
        if "uploads" in query:
            headers = self.encryption(bucket, True)
            ident = f"upload+{count('upload')}/=&"
            uploads[ident] = {"bucket": bucket, "key": key, "parts": {}}
            return self.reply(200, headers, f"<InitiateMultipartUploadResult><UploadId>{ident.replace('&', '&amp;')}"
                                            "</UploadId></InitiateMultipartUploadResult>")
        upload = uploads.get(query.get("uploadId"))
        if upload is None:
            raise Refused(404, "NoSuchUpload")
        if bucket == "error-200" and count("error-200") == 1:
            return self.reply(200, {}, "<?xml version='1.0'?>  \n<Error><Code>InternalError</Code><Message>Try again."
                                       "</Message></Error>")
        self.must_be_absent(bucket, key)
        if bucket == "contended" and "If-None-Match" in self.headers:
            raise Refused(409, "ConditionalRequestConflict")
        listed = re.findall(r"<Part><PartNumber>(\d+)</PartNumber><ETag>(.*?)</ETag></Part>", self.body.decode())
        have = [(str(n), upload["parts"][n][0].replace('"', "&quot;")) for n in sorted(upload["parts"])]
        if listed != have:
            raise Refused(400, "InvalidPart", "parts differ")
        bodies = [upload["parts"][n][1] for n in sorted(upload["parts"])]
        if any(len(b) < 5 << 20 for b in bodies[:-1]):
            raise Refused(400, "EntityTooSmall")
        if len({len(b) for b in bodies[:-1]}) > 1:
            raise Refused(400, "InvalidPart", "all but the last part must have one size")
        del uploads[query["uploadId"]]
        whole = hashlib.md5(b"".join(hashlib.md5(b).digest() for b in bodies)).hexdigest() + f"-{len(bodies)}"
        etag = "" if bucket == "no-etag" else self.etag(bucket, whole)
        objects[bucket, key] = (b"".join(bodies), etag or f'"{whole}"')
        return self.reply(200, self.encryption(bucket, False), "<CompleteMultipartUploadResult><ETag>" +
                          etag.replace('"', "&quot;") + "</ETag></CompleteMultipartUploadResult>")

    def object_get(self, bucket, key, _query):
        if (bucket, key) not in objects:
            raise Refused(404, "NoSuchKey")
        body, etag = objects[bucket, key]
        if bucket != "no-pins" and self.headers.get("If-Match") not in (None, etag):
            raise Refused(412, "PreconditionFailed")
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers = {"ETag": etag, "Last-Modified": "Thu, 23 Oct 2025 02:00:00 GMT"}
        if bucket == "no-ranges" or not m:
            return self.reply(200, headers, body)
        first, last = int(m[1]), min(int(m[2] or len(body) - 1), len(body) - 1)
        if first >= len(body):
            raise Refused(416, "InvalidRange", headers={"Content-Range": f"bytes */{len(body)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return self.reply(206, headers, body[first:last + 1])

    object_head = object_get

    def object_delete(self, bucket, key, query):
        if "uploadId" in query:
            if uploads.pop(query["uploadId"], None) is None:
                raise Refused(404, "NoSuchUpload")
        else:
            objects.pop((bucket, key), None)
        return self.reply(204, {})

    def bucket_head(self, _bucket, _query):
        return self.reply(200, {"x-amz-bucket-region": "us-east-1"})

    def bucket_get(self, bucket, query):
        for name, answer in {
            "location": "<LocationConstraint>eu-central-1</LocationConstraint>",
            "versioning": "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            "object-lock": "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
                           "<Mode>COMPLIANCE</Mode><Days>7</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
            "encryption": "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms"
                          "</SSEAlgorithm><KMSMasterKeyID>k1</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>"
                          "</ServerSideEncryptionConfiguration>",
            "lifecycle": "<LifecycleConfiguration><Rule><ID>a</ID><Filter><And><Prefix>p/</Prefix><Tag><Key>k</Key><Value>v"
                         "</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>"
                         "<Rule><ID>b</ID><Prefix>q/</Prefix><Status>Disabled</Status><Transition><Days>1</Days><StorageClass>"
                         "GLACIER</StorageClass></Transition><NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays>"
                         "</NoncurrentVersionExpiration></Rule></LifecycleConfiguration>",
        }.items():
            if name in query:
                return self.reply(200, {}, answer)
        if "uploads" in query:
            return self.reply(200, {}, "<ListMultipartUploadsResult>" + "".join(
                f"<Upload><Key>{u['key']}</Key><UploadId>{i.replace('&', '&amp;')}</UploadId></Upload>"
                for i, u in uploads.items() if u["bucket"] == bucket) + "</ListMultipartUploadsResult>")
        return self.listing(bucket, query)

    def listing(self, bucket, query):
        odd = {"garbage": "<ListBucketResult><Contents><Key>a</Key>", "html": "<html><body>Welcome</body></html>",
               "circle": "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken>"
                         "</ListBucketResult>",
               "no-token": "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
               "entity": "<!DOCTYPE x [<!ENTITY a 'b'>]><ListBucketResult>&a;</ListBucketResult>"}
        if bucket in odd:
            return self.reply(200, {}, odd[bucket])
        if bucket == "endless":
            return self.reply(200, {}, "<ListBucketResult>" + "<x>" * 10000000)
        keys = sorted(k for b, k in objects if b == bucket and k.startswith(query["prefix"]))
        if bucket == "many":
            keys = range(100000)
        start = int(query.get("continuation-token", "0").split("/")[0])
        page = keys[start:start + 1000]
        token = f"<NextContinuationToken>{start + 1000}/+=</NextContinuationToken>" if start + 1000 < len(keys) else ""
        out = ["<ListBucketResult><EncodingType>url</EncodingType>"]
        for k in page:
            name = f"production/daily/{k:06}" if bucket == "many" else quote(k, safe="/-_.~")
            body, etag = objects.get((bucket, k), (b"1", '"' + "0" * 32 + '"'))
            out.append(f"<Contents><Key>{name}</Key><Size>{len(body)}</Size><ETag>{etag.replace(chr(34), '&quot;')}</ETag>"
                       "<LastModified>2025-10-23T02:00:00.000Z</LastModified></Contents>")
        out.append(f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>{token}</ListBucketResult>")
        return self.reply(200, {}, "".join(out))

    # ---- STS, IMDS, container ----

    def sts(self):
        form = dict(urllib.parse.parse_qsl(self.body.decode()))
        action = form["Action"]
        if form["Version"] != "2011-06-15":
            raise Refused(400, "InvalidAction")
        if action == "AssumeRoleWithWebIdentity":
            if "Authorization" in self.headers or form["WebIdentityToken"] != "web.identity.token":
                raise Refused(400, "InvalidIdentityToken", "no such token")
        else:
            self.verify("sts")
        if action == "GetCallerIdentity":
            return self.reply(200, {}, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::1:assumed-role/"
                                       "r/s</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>")
        if not form["RoleSessionName"] or form["RoleArn"] == "arn:aws:iam::1:role/forbidden":
            raise Refused(403, "AccessDenied", "not authorized to perform: sts:" + action)
        if form["RoleArn"].endswith("external") and form.get("ExternalId") != "x":
            raise Refused(403, "AccessDenied", "external id")
        n = count("sts")
        token, life = ("OLD", 3600) if form["RoleArn"].endswith("ending") and n == 1 else ("FRESH", 3600)
        if form["RoleArn"].endswith("turns"):
            token = f"TURN{n}"
        if form["RoleArn"].endswith("short"):
            life = 2
        return self.reply(200, {}, f"<{action}Response><{action}Result><Credentials><AccessKeyId>ROLEKEY</AccessKeyId>"
                                   f"<SecretAccessKey>rolesecret</SecretAccessKey><SessionToken>{token}</SessionToken>"
                                   f"<Expiration>{in_seconds(life)}</Expiration></Credentials></{action}Result></{action}Response>")

    def imds(self, path):
        if path == "/latest/api/token":
            if self.command != "PUT" or int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 0:
                raise Refused(405, "MethodNotAllowed")
            return self.reply(200, {}, "imds-v2-token")
        if self.headers.get("X-aws-ec2-metadata-token") != "imds-v2-token":
            raise Refused(401, "Unauthorized")  # v1
        base = "/latest/meta-data/iam/security-credentials/"
        if path == base:
            return self.reply(200, {}, "the-role")
        if path == base + "the-role":
            return self.reply(200, {}, json.dumps({
                "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "IMDSKEY", "SecretAccessKey": "imdssecret",
                "Token": "IMDSTOKEN", "Expiration": in_seconds(3600)}))
        raise Refused(404, "NotFound")

    def container(self):
        if self.headers.get("Authorization") != "container-token":
            raise Refused(401, "Unauthorized")
        return self.reply(200, {}, json.dumps({"AccessKeyId": "TASKKEY", "SecretAccessKey": "tasksecret",
                                               "Token": "TASKTOKEN", "Expiration": in_seconds(3600)}))

    # ---- HTTP ----

    def reply(self, status, headers, body=b""):
        body = body.encode() if isinstance(body, str) else body
        self.note(status, "") # before whoever asked can look at the log
        self.send_response(status)
        for name, text in {"x-amz-request-id": f"STUB{count('request'):06}", **headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def note(self, status, code):
        with lock, open(args.log, "a", encoding="utf-8") as f:
            f.write(f"{self.command} {self.path} {status} {code}\n")

    def handle_any(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, raw = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(raw, keep_blank_values=True))
        try:
            if path.startswith("/latest/"):
                self.imds(path)
            elif path == "/container":
                self.container()
            elif path == "/" and self.command == "POST":
                self.sts()
            else:
                self.s3(path, query)
        except Refused as e:
            text = (f"<?xml version='1.0'?><ErrorResponse><Error><Code>{e.code}</Code><Message>{e.message.replace('<', '')}"
                    f"</Message>{e.body}</Error></ErrorResponse>").replace("&", "&amp;")
            self.reply(e.status, e.headers, "" if self.command == "HEAD" else text)
            self.note(e.status, e.code + " " + e.message)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

    def date_time_string(self, timestamp=None):
        return super().date_time_string((time.time() if timestamp is None else timestamp) + args.clock)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    global args
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--elsewhere", default="")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--clock", type=int, default=0, help="seconds that its clock is ahead")
    args = parser.parse_args()
    server = Server((args.bind, 0), Handler)
    if args.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with open(args.port_file + ".new", "w", encoding="utf-8") as f:
        f.write(str(server.server_address[1]))
    os.rename(args.port_file + ".new", args.port_file)
    server.serve_forever()


main()
