#!/usr/bin/env python3
"""Archives as nobody should get them: made, and read with `sfb verify`, each in a process of its own that is measured.

    badarchives.py build KIND OUT          one archive; KIND is a function below without its "build_"
    badarchives.py swap FILE OUT           FILE with its first two data blocks in the other order; offsets not known
    badarchives.py cuts SFB FILE N         FILE cut at every byte of its first N, and at 200 places behind them
    badarchives.py flips SFB FILE          FILE with each of its bytes changed
    badarchives.py sealed SFB FILE         FILE, whose manifest stands beside it, with 200 of its bytes changed, each alone
    badarchives.py run SFB FILE            FILE as it is: prints what sfb says, and its exit code

Every run must end in time, within 200 MiB of memory (its pg_restore's too), and with 2: damaged, and the offset. Only a
byte of a name, or of what nobody needs, may be flipped unseen in an archive that has no manifest; and what pg_restore
finds has no offset. Nothing of core/ is in here: the format is written down in core/pg/archive.h.
"""
import os
import random
import re
import subprocess
import sys
import tempfile
import zlib

MEMORY = 200 * 1024 * (8 if os.environ.get("SFB_TEST_SANITIZED") else 1)  # KiB; sanitizers take some themselves
SECONDS = 60
BOMB = 600 * 1024 * 1024  # what a bomb grows to: more than a process may have

# ---- writing archives ----------------------------------------------------------------------------------------------


def number(value):
    return bytes([value < 0]) + abs(value).to_bytes(4, "little")


def text(value):
    return number(-1) if value is None else number(len(value)) + value.encode()


def header(minor, method):
    out = b"PGDMP" + bytes([1, minor, 0, 4, 8, 1])
    out += bytes([method]) if minor >= 15 else number(6 if method else 0)
    for value in (56, 34, 12, 23, 9, 125, 0):
        out += number(value)
    return out + text("shop") + text("15.8") + text("15.9")


def entry(minor, ident, desc, tag, depends=(), data=False):
    out = number(ident) + number(int(data)) + text("0") + text("0") + text(tag) + text(desc)
    out += number(3 if data else 2) + text("" if data else f"SELECT '{tag}';\n") + text("")
    out += text(f"COPY public.{tag} (a) FROM stdin;\n" if data else "") + text("public") + text("")
    out += (text("heap") if minor >= 14 else b"") + (number(ord("r")) if minor >= 16 else b"")
    out += text("me") + text("false")
    for on in depends:
        out += text(str(on))
    return out + text(None) + bytes([1 if data else 3]) + bytes(8)


def chunks(stream, size):
    for at in range(0, len(stream), size):
        part = stream[at:at + size]
        yield number(len(part)) + part
    yield number(0)


def tables(out, minor, method, streams, chunk=4096):
    """One table for each stream, which is what its block holds, compressed already."""
    with open(out, "wb") as f:
        f.write(header(minor, method) + number(len(streams)))
        for i in range(len(streams)):
            f.write(entry(minor, i + 1, "TABLE DATA", f"t{i + 1}", data=True))
        for i, stream in enumerate(streams):
            f.write(b"\1" + number(i + 1))
            for piece in chunks(stream, chunk):
                f.write(piece)


# ---- kinds ---------------------------------------------------------------------------------------------------------


def zstd_frame(window):
    """BOMB bytes "x" in blocks of which each is one byte and a number; window: the descriptor, RFC 8878."""
    block = 128 * 1024
    one = (block << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    last = (1 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"x"
    return b"\x28\xb5\x2f\xfd\x00" + bytes([window]) + one * (BOMB // block) + last


def lz4_frame():
    """Blocks of 64 KiB: one byte, a match that repeats it, and five bytes that end the block."""
    match = 65536 - 1 - 5
    body = b"\x1fx\x01\x00" + b"\xff" * ((match - 19) // 255) + bytes([(match - 19) % 255]) + b"\x50xxxxx"
    block = len(body).to_bytes(4, "little") + body
    return b"\x04\x22\x4d\x18\x60\x40\x82" + block * (BOMB // 65536) + bytes(4)


def build_gzip_bomb(out):
    packer = zlib.compressobj(9)
    parts = [packer.compress(b"x" * (1 << 20)) for _ in range(BOMB >> 20)]
    tables(out, 14, 1, [b"".join(parts) + packer.flush()])


def build_gzip_bomb_in_one_chunk(out):
    packer = zlib.compressobj(9)
    parts = [packer.compress(b"x" * (1 << 20)) for _ in range(BOMB >> 20)]
    tables(out, 14, 1, [b"".join(parts) + packer.flush()], 1 << 30)


def build_zstd_bomb(out):
    tables(out, 16, 3, [zstd_frame(0x68)])  # a window of 8 MiB, as zstd -19 has


def build_zstd_windows(out):
    tables(out, 16, 3, [zstd_frame(0x88)] * 4)  # of 128 MiB, the most that is allowed, in four tables


def build_zstd_window_beyond(out):
    tables(out, 16, 3, [zstd_frame(0xa8)])  # of 2 GiB


def build_lz4_bomb(out):
    tables(out, 16, 2, [lz4_frame()])


def build_entries_claimed(out):
    with open(out, "wb") as f:
        f.write(header(14, 0) + b"\0" + (2 ** 31).to_bytes(4, "little") + entry(14, 1, "VIEW", "v"))


def build_most_entries_claimed(out):
    with open(out, "wb") as f:
        f.write(header(14, 0) + number(2 ** 31 - 1) + entry(14, 1, "VIEW", "v"))


def build_string_claimed(out):
    """A name of 2 GiB, and a file that has as much: of nothing."""
    with open(out, "wb") as f:
        f.write(header(14, 0) + number(1) + number(1) + number(0) + text("0") + text("0") + number(2 ** 31 - 1))
        f.truncate(2 ** 31)


def build_chunk_claimed(out):
    with open(out, "wb") as f:
        f.write(header(14, 1) + number(1) + entry(14, 1, "TABLE DATA", "t1", data=True))
        f.write(b"\1" + number(1) + number(2 ** 31 - 1) + zlib.compress(b"x\n\\.\n\n\n"))
        f.truncate(2 ** 31)


def build_circle(out):
    with open(out, "wb") as f:
        f.write(header(16, 0) + number(3) + entry(16, 1, "SCHEMA", "public"))
        f.write(entry(16, 7, "VIEW", "heads", [1, 8]) + entry(16, 8, "VIEW", "tails", [1, 7]))


def build_self(out):
    with open(out, "wb") as f:
        f.write(header(16, 0) + number(1) + entry(16, 7, "VIEW", "ouroboros", [7]))


def build_long_circle(out):
    n = 300000
    with open(out, "wb") as f:
        f.write(header(14, 0) + number(n))
        for i in range(1, n + 1):
            f.write(entry(14, i, "VIEW", f"v{i}", [i % n + 1]))


# ---- reading -------------------------------------------------------------------------------------------------------


class Reader:
    def __init__(self, body):
        self.body, self.at = body, 11

    def number(self):
        sign, value = self.body[self.at], int.from_bytes(self.body[self.at + 1:self.at + 5], "little")
        self.at += 5
        return -value if sign else value

    def text(self):
        n = self.number()
        self.at += max(n, 0)
        return None if n < 0 else self.body[self.at - n:self.at]

    def contents(self):
        """Leaves `at` behind the contents; the places of the entries' offsets."""
        minor, places = self.body[6], []
        if minor >= 15:
            self.at += 1
        for _ in range(7 + (minor < 15)):
            self.number()
        for _ in range(3):
            self.text()
        for _ in range(self.number()):
            self.number(), self.number()
            for _ in range(4):
                self.text()
            self.number()
            for _ in range(5 + (minor >= 14)):
                self.text()
            if minor >= 16:
                self.number()
            self.text(), self.text()
            while self.text() is not None:
                pass
            places.append(self.at)
            self.at += 9
        return places

    def block(self):
        """The bytes of the block of a table that starts here."""
        start = self.at
        self.at += 1
        self.number()
        while self.text():
            pass
        return self.body[start:self.at]


def swap(path, out):
    body = bytearray(open(path, "rb").read())
    reader = Reader(bytes(body))
    for place in reader.contents():
        if body[place] == 2:
            body[place:place + 9] = b"\1" + bytes(8)
    start = reader.at
    first, second = reader.block(), reader.block()
    assert first[:1] == second[:1] == b"\1"
    body[start:reader.at] = second + first
    open(out, "wb").write(body)


# ---- running -------------------------------------------------------------------------------------------------------

most = 0  # KiB, of all runs


def verify(sfb, path):
    """Its exit code and what it said."""
    global most
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(["timeout", "-k", "5", str(SECONDS), sfb, "verify", path], stdin=subprocess.DEVNULL,
                                   stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        most = max(most, usage.ru_maxrss)
        said.seek(0)
        return process.returncode, said.read().decode(errors="replace")


wrong = []


def judge(what, code, said, codes=(2,), must_say=r"offset \d+"):
    if code not in codes:
        wrong.append(f"{what}: exit {code}, not {codes}: {said}")
    elif code == 2 and not re.search(must_say, said):
        wrong.append(f"{what}: says nothing like {must_say}: {said}")


def conclude(what):
    if most > MEMORY:
        wrong.append(f"{most} KiB of memory")
    for line in wrong[:20]:
        print(line)
    print(f"{what}; at most {most // 1024} MiB; {len(wrong)} went wrong")
    sys.exit(1 if wrong else 0)


def cuts(sfb, path, n):
    n, body = int(n), open(path, "rb").read()
    seed = random.randrange(1 << 32)
    places = list(range(n)) + random.Random(seed).sample(range(n, len(body)), 200)
    copy = path + ".cut.dump"
    for n in places:
        with open(copy, "wb") as f:
            f.write(body[:n])
        # what has not even "PGDMP" can't be told from other files
        judge(f"cut at {n}", *verify(sfb, copy), must_say=r"offset \d+" if n >= 5 else "empty|neither an archive")
    conclude(f"{len(places)} cuts of {len(body)} bytes, seed {seed}")


def changed(sfb, path, i, body, chance):
    """What verify makes of body with byte i changed."""
    byte = body[i]
    body[i] ^= chance.randrange(1, 256)
    with open(path, "wb") as f:
        f.write(body)
    body[i] = byte
    return verify(sfb, path)


def flips(sfb, path):
    body, unseen = bytearray(open(path, "rb").read()), 0
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for i in range(len(body)):
        code, said = changed(sfb, path + ".flip.dump", i, body, chance)
        judge(f"byte {i}", code, said, (0, 2), r"offset \d+|pg_restore failed: " if i >= 5 else "neither an archive")
        unseen += code == 0
    if unseen > len(body) // 2:
        wrong.append(f"{unseen} of {len(body)} bytes flipped unseen")
    conclude(f"{len(body)} bytes flipped, {unseen} unseen, seed {seed}")


def sealed(sfb, path):
    body = bytearray(open(path, "rb").read())
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    os.link(path[:-len(".dump")] + ".manifest.json", path + ".flip.manifest.json")
    for i in chance.sample(range(len(body)), 200):
        judge(f"byte {i}", *changed(sfb, path + ".flip.dump", i, body, chance), must_say="SHA-256")
    conclude(f"200 bytes flipped, seed {seed}")


def run(sfb, path):
    code, said = verify(sfb, path)
    print(said, end="")
    judge(path, code, said)
    conclude(f"exit {code}")


if __name__ == "__main__":
    if sys.argv[1] == "build":
        globals()["build_" + sys.argv[2]](sys.argv[3])
    else:
        globals()[sys.argv[1]](*sys.argv[2:])
