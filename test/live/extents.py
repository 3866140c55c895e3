#!/usr/bin/env python3
"""How many bytes of a custom archive are its contents and a table's rows: extents.py FILE TABLE. (Version 1.14 on.)"""
import sys

body = open(sys.argv[1], "rb").read()
minor, size, offset_size, at = body[6], body[8], body[9], 11


def number():
    global at
    sign, value = body[at], int.from_bytes(body[at + 1:at + 1 + size], "little")
    at += 1 + size
    return -value if sign else value


def text():
    global at
    n = number()
    if n < 0:
        return None
    at += n
    return body[at - n:at].decode()


if minor >= 15:
    at += 1
else:
    number()
for _ in range(7):
    number()
for _ in range(3):
    text()
starts, wanted = [len(body)], None
for _ in range(number()):
    number()
    has_data = number()
    text(), text()
    tag, desc = text(), text()
    number()
    for _ in range(6):
        text()
    if minor >= 16:
        number()
    text(), text()
    while text() is not None:
        pass
    state, offset = body[at], int.from_bytes(body[at + 1:at + 1 + offset_size], "little")
    at += 1 + offset_size
    if has_data:
        assert state == 2
        starts.append(offset)
        if desc == "TABLE DATA" and tag == sys.argv[2]:
            wanted = offset
print(at + min(s for s in starts if s > wanted) - wanted)
