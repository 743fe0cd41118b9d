"""Categories 12 and 13: compressed messages of many contents, sizes and fragments, under every
combination of the extension's parameters (RFC 7692)."""

import functools
import itertools
import json
import random

from client import BINARY, TEXT, Inflater, require
from registry import Group

KIB = 1024
# (size of a message, size of a fragment or None, messages)
VARIANTS = (
    (16, None, 100), (64, None, 100), (256, None, 60), (1 * KIB, None, 40), (4 * KIB, None, 16),
    (8 * KIB, None, 12), (16 * KIB, None, 8), (32 * KIB, None, 4), (64 * KIB, None, 3),
    (128 * KIB, None, 2),
    (8 * KIB, 256, 8), (16 * KIB, 256, 6), (32 * KIB, 256, 4), (64 * KIB, 256, 2),
    (128 * KIB, 256, 2), (16 * KIB, 1 * KIB, 6), (64 * KIB, 16 * KIB, 3), (128 * KIB, 32 * KIB, 2),
)
PLAIN = "permessage-deflate"


def json_text(rng, size):
    rows = [{"id": i, "name": f"client-{rng.randrange(1000)}", "price": rng.random(),
             "is_open": rng.random() < 0.5, "tags": ["a", "b"]} for i in range(size // 60 + 1)]
    return json.dumps(rows).encode()[:size]


def prose(rng, size):
    words = "на the größe 世界 und of 🌊 water to κόσμε message wave a tide gate".split()
    text = " ".join(rng.choice(words) for _ in range(size // 3 + 1)).encode()[:size]
    text = text.decode("utf-8", "ignore").encode()
    return text + b"." * (size - len(text))


def noise(rng, size):
    return rng.randbytes(size)


def zeros(_, size):
    return bytes(size)


def records(rng, size):
    record = bytearray(rng.randbytes(48))
    out = bytearray()
    while len(out) < size:
        record[rng.randrange(48)] = rng.randrange(256)
        out += record
    return bytes(out[:size])


@functools.lru_cache(maxsize=64)
def contents(make, size, count):
    """A few messages of one kind, each different from the others."""
    rng = random.Random(f"{make.__name__} {size}")
    return [make(rng, size) for _ in range(count)]


def echo_all(opcode, make, size, fragment, count, chop=None):
    """A body: the messages come back, each compressed as was agreed."""
    def body(link):
        for payload in contents(make, size, count):
            link.send_deflated(opcode, payload, fragment, chop)
            link.expect_message(opcode, payload)
        link.finish()
    return body


def said(size, fragment):
    size = f"{size // KIB} KiB" if size >= KIB else f"{size} bytes"
    return size if fragment is None else f"{size} in fragments of {fragment} bytes"


# ---- 12: contents and sizes

for number, (opcode, make, name) in enumerate((
        (TEXT, json_text, "JSON"), (TEXT, prose, "prose in many scripts"),
        (BINARY, noise, "noise that cannot be compressed"), (BINARY, zeros, "zeros"),
        (BINARY, records, "similar records")), 1):
    group = Group(f"12.{number}", "RFC 7692 §6", offer=PLAIN, needs_deflate=True)
    for size, fragment, count in VARIANTS:
        group.add(f"{name[0].upper()}{name[1:]} of {said(size, fragment)}, {count} times, come"
                  " back.", echo_all(opcode, make, size, fragment, count))

group = Group("12.6", "RFC 7692 §6", offer=PLAIN, needs_deflate=True)
for chop in (1, 7, 1021):
    group.add(f"Compressed JSON of 8 KiB, sent {chop} bytes at a time, comes back.",
              echo_all(TEXT, json_text, 8 * KIB, 512, 3, chop))
group.add("A compressed message of one byte comes back.", echo_all(TEXT, zeros, 1, None, 10))
group.add("A compressed message of no byte comes back.", echo_all(TEXT, zeros, 0, None, 10),
          section="RFC 7692 §7.2.3.6")
group.add("A thousand compressed messages of 16 bytes come back.",
          echo_all(TEXT, json_text, 16, None, 1000))


def comes_back_smaller(link):
    payload = contents(json_text, 64 * KIB, 1)[0]
    link.send_deflated(TEXT, payload)
    link.expect_message(TEXT, payload)
    require(link.was_compressed, "compression was agreed and is not used")
    link.finish()


def all_in_one_write(link):
    items = contents(json_text, 300, 200)
    frames = []
    for item in items:
        frames += link.fragments(TEXT, [link.deflater.message(item)], rsv=4)
    link.send_raw(b"".join(frames))
    for item in items:
        link.expect_message(TEXT, item)
    link.finish()


group.add("What was agreed is used: JSON of 64 KiB comes back compressed.", comes_back_smaller)
group.add("200 compressed messages in one write come back in order.", all_in_one_write)

# ---- 13: parameters

FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
WINDOWS = ("server_max_window_bits=9", "client_max_window_bits=9")
number = 0
for chosen in itertools.product((False, True), repeat=4):
    number += 1
    asked = [name for name, is_in in zip(FLAGS + WINDOWS, chosen) if is_in]
    group = Group(f"13.{number}", "RFC 7692 §7.1", offer="; ".join([PLAIN, *asked]),
                  needs_deflate=True)
    with_what = ", ".join(asked) or "no parameter"
    for size, fragment, count in VARIANTS:
        group.add(f"With {with_what}: JSON of {said(size, fragment)}, {count} times, comes back.",
                  echo_all(TEXT, json_text, size, fragment, count))


def keeps_to_window(link):
    """The server's data are read so that a reference past the agreed window cannot be missed."""
    link.inflater = Inflater(link.agreed.server_bits, link.agreed.server_keeps, is_strict=True)
    for make in (records, json_text, zeros):
        for payload in contents(make, 3 * KIB, 3):
            opcode = BINARY if make is records else TEXT
            link.send_deflated(opcode, payload)
            link.expect_message(opcode, payload)
    link.finish()


for number, party in ((17, "server"), (18, "client")):
    section = f"RFC 7692 §7.1.2.{1 if party == 'server' else 2}"
    group = Group(f"13.{number}", section, needs_deflate=True)
    for bits in range(8, 16):
        offer = f"{PLAIN}; {party}_max_window_bits={bits}"
        group.add(f"With a window of 2^{bits} of the {party}, messages of 3 KiB stay within it.",
                  keeps_to_window, offer=offer)
        group.add(f"With a window of 2^{bits} of the {party} and no context, messages of 3 KiB stay"
                  " within it.", keeps_to_window, offer=f"{offer}; {party}_no_context_takeover")
        group.add(f"With a window of 2^{bits} of the {party}, JSON of 32 KiB comes back.",
                  echo_all(TEXT, json_text, 32 * KIB, None, 3), offer=offer)
        group.add(f"With a window of 2^{bits} of the {party}, records of 16 KiB in fragments come"
                  " back.", echo_all(BINARY, records, 16 * KIB, 1000, 3), offer=offer)
group = Group("13.19", "RFC 7692 §7.1.2", needs_deflate=True)
for server in (8, 9, 12, 15):
    for client in (8, 9, 12, 15):
        group.add(f"With windows of 2^{server} of the server and 2^{client} of the client, JSON of"
                  " 16 KiB comes back.", echo_all(TEXT, json_text, 16 * KIB, None, 4),
                  offer=f"{PLAIN}; server_max_window_bits={server};"
                        f" client_max_window_bits={client}")
group.add("With client_max_window_bits without a value, JSON of 16 KiB comes back.",
          echo_all(TEXT, json_text, 16 * KIB, None, 4), offer=f"{PLAIN}; client_max_window_bits")


def compressed_now_and_then(link):
    """Plain messages between compressed ones leave both contexts as they were."""
    for i, payload in enumerate(contents(json_text, 1 * KIB, 30)):
        if i % 3 == 1:
            link.send(TEXT, payload)
        else:
            link.send_deflated(TEXT, payload)
        link.expect_message(TEXT, payload)
    link.finish()


group = Group("13.20", "RFC 7692 §7.2.1", needs_deflate=True)
for flags in (PLAIN, f"{PLAIN}; {FLAGS[0]}", f"{PLAIN}; {FLAGS[1]}",
              f"{PLAIN}; {FLAGS[0]}; {FLAGS[1]}"):
    group.add(f"Compressed and plain messages take turns under \"{flags}\".",
              compressed_now_and_then, offer=flags)
    group.add(f"Noise and JSON take turns under \"{flags}\".", lambda link: (
        [(link.send_deflated(BINARY, payload), link.expect_message(BINARY, payload))
         for pair in zip(contents(noise, 2 * KIB, 10), contents(json_text, 2 * KIB, 10))
         for payload in pair], link.finish()), offer=flags)
    group.add(f"The same message ten times comes back under \"{flags}\".", lambda link: (
        [(link.send_deflated(TEXT, payload), link.expect_message(TEXT, payload))
         for payload in contents(json_text, 4 * KIB, 1) * 10], link.finish()), offer=flags)
