"""Category 9: large messages, many messages, and the size limit (RFC 6455 §10.4, §7.4.1)."""

import functools
import time

from client import BINARY, CONTINUATION, TEXT, head
from registry import Group

KIB, MIB = 1024, 1024 * 1024
NAMES = {TEXT: "text", BINARY: "binary message"}
SAID = {64 * KIB: "64 KiB", 256 * KIB: "256 KiB", MIB: "1 MiB", 4 * MIB: "4 MiB",
        8 * MIB: "8 MiB", 16 * MIB: "16 MiB"}


@functools.lru_cache(maxsize=4)
def content(opcode, size):
    block = ("BAsd7&jh23 größer 世界 🌊 ".encode() if opcode == TEXT
             else bytes(range(256)) + b"\x00\xff\x13")
    data = block * (size // len(block))
    return data + b"." * (size - len(data))


def comes_back(opcode, size, fragment=None, chop=None):
    def body(link):
        data = content(opcode, size)
        if fragment is None:
            link.send(opcode, data, chop=chop)
        else:
            view = memoryview(data)
            link.send_fragments(opcode, [bytes(view[i:i + fragment])
                                         for i in range(0, size, fragment)])
        link.expect_message(opcode, data)
        link.finish()
    return body


for number, kind in ((1, TEXT), (2, BINARY)):
    group = Group(f"9.{number}", "RFC 6455 §5.2", is_heavy=True)
    for size, said in SAID.items():
        group.add(f"A {NAMES[kind]} of {said} comes back.", comes_back(kind, size))
for number, kind in ((3, TEXT), (4, BINARY)):
    group = Group(f"9.{number}", "RFC 6455 §5.4", is_heavy=True)
    for step in (64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB):
        group.add(f"A {NAMES[kind]} of 4 MiB in fragments of {step} bytes comes back whole.",
                  comes_back(kind, 4 * MIB, fragment=step))
for number, kind in ((5, TEXT), (6, BINARY)):
    group = Group(f"9.{number}", "RFC 6455 §5.2", is_heavy=True)
    for step in (64, 128, 256, 512, KIB, 2 * KIB):
        group.add(f"A {NAMES[kind]} of 1 MiB, sent {step} bytes at a time, comes back.",
                  comes_back(kind, MIB, chop=step))


def in_a_row(opcode, size, at_once):
    def body(link):
        payload = content(opcode, size)
        frames = [link.frame(opcode, payload) for _ in range(at_once)]
        for _ in range(1000 // at_once):
            link.send_raw(b"".join(frames))
            for _ in range(at_once):
                link.expect_message(opcode, payload)
        link.finish()
    return body


for number, kind in ((7, TEXT), (8, BINARY)):
    group = Group(f"9.{number}", "RFC 6455 §5.6", is_heavy=True)
    for size in (0, 16, 64, 256, KIB, 4 * KIB):
        group.add(f"1,000 times a {NAMES[kind]} of {size} bytes, each awaited, come back.",
                  in_a_row(kind, size, 1))
        group.add(f"1,000 times a {NAMES[kind]} of {size} bytes in one write come back.",
                  in_a_row(kind, size, 1000))

group = Group("9.9", "RFC 6455 §10.4", is_raw=True, is_heavy=True)


def with_limit(body, offer=None):
    """A raw body whose second argument is the server's limit of a message."""
    def run(target):
        link = target.connect(offer, seed="limit")
        try:
            link.wire.give_time()
            body(link, target.message_limit)
        finally:
            link.close()
    return run


def just_fits(link, limit):
    link.send(BINARY, content(BINARY, limit))
    link.expect_message(BINARY, content(BINARY, limit))
    link.finish()


def just_fits_in_fragments(link, limit):
    data = content(BINARY, limit)
    link.send_fragments(BINARY, [data[:limit // 2], data[limit // 2:], b""])
    link.expect_message(BINARY, data)
    link.finish()


def says_too_much(link, limit, size):
    link.send_raw(head(BINARY, size or limit + 1) + b"\0\0\0\0x")
    link.expect_failure(1009)


def adds_up(link, limit):
    link.send(BINARY, content(BINARY, limit), fin=False)
    link.send_raw(head(CONTINUATION, 1) + b"\0\0\0\0x")
    link.expect_failure(1009)


group.add("A message of exactly the limit comes back.", with_limit(just_fits))
group.add("A message of exactly the limit in fragments comes back.",
          with_limit(just_fits_in_fragments))
group.add("A frame that says it is a byte past the limit is refused before the rest of it comes.",
          with_limit(lambda link, limit: says_too_much(link, limit, None)), "RFC 6455 §7.4.1")
for power in (32, 40, 62):
    group.add(f"A frame that says it has 2^{power} bytes is refused before the rest of it comes.",
              with_limit(lambda link, limit, p=power: says_too_much(link, limit, 1 << p)),
              "RFC 6455 §7.4.1")
group.add("A frame that says it has 2^63 - 1 bytes is refused before the rest of it comes.",
          with_limit(lambda link, limit: says_too_much(link, limit, (1 << 63) - 1)),
          "RFC 6455 §7.4.1")
group.add("A fragment that takes the message past the limit is refused at once.",
          with_limit(adds_up), "RFC 6455 §7.4.1")


def reads_late(link):
    """A client that reads only after it has written gets everything all the same."""
    for i in range(64):
        link.send(BINARY, content(BINARY, 64 * KIB))
        if i % 16 == 15:
            time.sleep(0.05)
    for _ in range(64):
        link.expect_message(BINARY, content(BINARY, 64 * KIB))
    link.finish()


Group("9.10", "RFC 6455 §5.6", is_heavy=True).add(
    "64 messages of 64 KiB are all echoed to a client that reads late.", reads_late)
