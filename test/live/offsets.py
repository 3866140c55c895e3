#!/usr/bin/env python3
"""Every entry of a custom archive that has data says where: offsets.py FILE. By code of its own (version 1.14 on)."""
import sys

body = open(sys.argv[1], "rb").read()
at = 5
minor, size, offset_size = body[6], body[8], body[9]
at = 11


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
    return body[at - n:at]


if minor >= 15:
    at += 1
else:
    number()
for _ in range(7):
    number()
for _ in range(3):
    text()
known = 0
for _ in range(number()):
    number()
    has_data = number()
    for _ in range(4):
        text()
    number()
    for _ in range(6 if minor >= 14 else 5):
        text()
    if minor >= 16:
        number()
    text()
    text()
    while text() is not None:
        pass
    state, offset = body[at], int.from_bytes(body[at + 1:at + 1 + offset_size], "little")
    at += 1 + offset_size
    if has_data:
        assert state == 2, f"state {state}"
        assert body[offset] in (1, 3), f"no block at {offset}"
        known += 1
assert known > 0
