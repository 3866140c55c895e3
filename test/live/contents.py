#!/usr/bin/env python3
"""What the contents of a custom archive (version 1.14 on) say, by code of its own.

contents.py offsets FILE        fails unless every entry that has data says where, and a block starts there
contents.py extent FILE TABLE   how many bytes the contents and the table's rows take
"""
import collections
import sys

Entry = collections.namedtuple("Entry", "tag desc state offset")


class Contents:
    """size: how many bytes they take; entries: those that have data."""

    def __init__(self, body):
        self.body = body
        minor, self.int_size, offset_size = body[6], body[8], body[9]
        self.size = 11 + (minor >= 15)
        for _ in range(7 if minor >= 15 else 8):
            self.number()
        for _ in range(3):
            self.text()
        self.entries = []
        for _ in range(self.number()):
            self.number()
            has_data = self.number()
            _, _, tag, desc = (self.text() for _ in range(4))
            self.number()
            for _ in range(6):
                self.text()
            if minor >= 16:
                self.number()
            self.text(), self.text()
            while self.text() is not None:
                pass
            state = self.take(1)[0]
            offset = int.from_bytes(self.take(offset_size), "little")
            if has_data:
                self.entries.append(Entry(tag, desc, state, offset))

    def take(self, n):
        self.size += n
        return self.body[self.size - n:self.size]

    def number(self):
        sign, *value = self.take(1 + self.int_size)
        value = int.from_bytes(bytes(value), "little")
        return -value if sign else value

    def text(self):
        n = self.number()
        return None if n < 0 else self.take(n).decode()


def check_offsets(body, contents):
    assert contents.entries
    for e in contents.entries:
        assert e.state == 2, f"{e}: no offset"
        assert body[e.offset] in (1, 3), f"{e}: no block there"


def extent(body, contents, table):
    assert all(e.state == 2 for e in contents.entries)
    start = next(e.offset for e in contents.entries if e.desc == "TABLE DATA" and e.tag == table)
    return contents.size + min([e.offset for e in contents.entries if e.offset > start] + [len(body)]) - start


def main():
    body = open(sys.argv[2], "rb").read()
    contents = Contents(body)
    if sys.argv[1] == "offsets":
        check_offsets(body, contents)
    else:
        print(extent(body, contents, sys.argv[3]))


main()
