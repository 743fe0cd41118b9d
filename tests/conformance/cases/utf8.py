"""Category 6: text is UTF-8, and what is not is refused at its first impossible byte
(RFC 6455 §8.1, §5.6; RFC 3629)."""

from client import CONTINUATION, PING, TEXT, require
from registry import Group

VALID = (
    ("Greek", "κόσμε".encode()),
    ("many scripts", "Hello-µ@ßöäüàá-UTF-8!! Ⴀ日本語 हिन्दी русский".encode()),
    ("a letter of one byte", b"a"),
    ("U+0000", b"\x00"),
    ("U+007F, the last of one byte", b"\x7f"),
    ("U+0080, the first of two bytes", b"\xc2\x80"),
    ("U+07FF, the last of two bytes", b"\xdf\xbf"),
    ("U+0800, the first of three bytes", b"\xe0\xa0\x80"),
    ("U+D7FF, the last before the surrogates", b"\xed\x9f\xbf"),
    ("U+E000, the first after the surrogates", b"\xee\x80\x80"),
    ("U+FEFF, a byte order mark", b"\xef\xbb\xbf"),
    ("U+FFFD, the replacement", b"\xef\xbf\xbd"),
    ("U+FFFE, no character but a code point", b"\xef\xbf\xbe"),
    ("U+FFFF, no character but a code point", b"\xef\xbf\xbf"),
    ("U+FDD0, no character but a code point", "\ufdd0".encode()),
    ("U+10000, the first of four bytes", b"\xf0\x90\x80\x80"),
    ("U+1F30A, a wave", "🌊".encode()),
    ("U+1FFFF, the end of a plane", b"\xf0\x9f\xbf\xbf"),
    ("U+2FFFE, near the end of a plane", b"\xf0\xaf\xbf\xbe"),
    ("U+8FFFF, the end of a plane", b"\xf2\x8f\xbf\xbf"),
    ("U+100000, the last plane", b"\xf4\x80\x80\x80"),
    ("U+10FFFE, before the last", b"\xf4\x8f\xbf\xbe"),
    ("U+10FFFF, the last", b"\xf4\x8f\xbf\xbf"),
)
# Each is refused at its first byte that cannot follow; None: only the message's end shows it.
INVALID = (
    ("a continuation byte alone (80)", b"\x80", 0),
    ("a continuation byte alone (BF)", b"\xbf", 0),
    ("two continuation bytes", b"\x80\xbf", 0),
    ("seven continuation bytes", b"\x80\xbf\x80\xbf\x80\xbf\x80", 0),
    ("all 64 continuation bytes", bytes(range(0x80, 0xC0)), 0),
    ("C0, overlong by its nature", b"\xc0\x80", 0),
    ("C1, overlong by its nature", b"\xc1\xbf", 0),
    ("an overlong slash in two bytes", b"\xc0\xaf", 0),
    ("an overlong slash in three bytes", b"\xe0\x80\xaf", 1),
    ("an overlong slash in four bytes", b"\xf0\x80\x80\xaf", 1),
    ("an overlong slash in five bytes", b"\xf8\x80\x80\x80\xaf", 0),
    ("an overlong slash in six bytes", b"\xfc\x80\x80\x80\x80\xaf", 0),
    ("the longest overlong in three bytes", b"\xe0\x9f\xbf", 1),
    ("the longest overlong in four bytes", b"\xf0\x8f\xbf\xbf", 1),
    ("an overlong zero in three bytes", b"\xe0\x80\x80", 1),
    ("the first surrogate, U+D800", b"\xed\xa0\x80", 1),
    ("the surrogate U+DB7F", b"\xed\xad\xbf", 1),
    ("the surrogate U+DC00", b"\xed\xb0\x80", 1),
    ("the last surrogate, U+DFFF", b"\xed\xbf\xbf", 1),
    ("a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80", 1),
    ("U+110000, past the last", b"\xf4\x90\x80\x80", 1),
    ("U+13FFFF, past the last", b"\xf4\xbf\xbf\xbf", 1),
    ("F5", b"\xf5\x80\x80\x80", 0),
    ("F7", b"\xf7\xbf\xbf\xbf", 0),
    ("F8, a form of five bytes", b"\xf8\x88\x80\x80\x80", 0),
    ("FB, a form of five bytes", b"\xfb\xbf\xbf\xbf\xbf", 0),
    ("FC, a form of six bytes", b"\xfc\x84\x80\x80\x80\x80", 0),
    ("FD, a form of six bytes", b"\xfd\xbf\xbf\xbf\xbf\xbf", 0),
    ("FE", b"\xfe", 0),
    ("FF", b"\xff", 0),
    ("FE FF, a mark of another encoding", b"\xfe\xff", 0),
    ("a lead of two bytes and a space", b"\xc3 ", 1),
    ("a lead of three bytes and a space", b"\xe2 ", 1),
    ("a lead of four bytes and a space", b"\xf0 ", 1),
    ("a lead of two bytes and another lead", b"\xc3\xc3", 1),
    ("two of three bytes and a space", b"\xe2\x82 ", 2),
    ("three of four bytes and a space", b"\xf0\x9f\x8c ", 3),
    ("three of four bytes and a lead", b"\xf0\x9f\x8c\xf0", 3),
    ("two of four bytes and a letter", b"\xf0\x9fa", 2),
    ("one continuation byte too many", b"\xc3\xa9\xa9", 2),
    ("Greek and a surrogate", "κόσμε".encode() + b"\xed\xa0\x80edited", 11),
    ("Greek and U+110000", "κόσμε".encode() + b"\xf4\x90\x80\x80edited", 11),
    ("Latin-1 in place of UTF-8", b"gr\xfc\xdfe", 2),
    ("a lead of two bytes at the end", b"\xc3", None),
    ("a lead of three bytes at the end", b"\xe2", None),
    ("two of three bytes at the end", b"\xe2\x82", None),
    ("a lead of four bytes at the end", b"\xf0", None),
    ("two of four bytes at the end", b"\xf0\x9f", None),
    ("three of four bytes at the end", b"\xf0\x9f\x8c", None),
    ("a whole character and half of one", "€".encode() + b"\xe2\x82", None),
)


# The forms of a character (RFC 3629 §4): ranges of its bytes.
ANY = (0x80, 0xBF)
FORMS = (
    ((0x00, 0x7F),), ((0xC2, 0xDF), ANY), ((0xE0, 0xE0), (0xA0, 0xBF), ANY),
    ((0xE1, 0xEC), ANY, ANY), ((0xED, 0xED), (0x80, 0x9F), ANY), ((0xEE, 0xEF), ANY, ANY),
    ((0xF0, 0xF0), (0x90, 0xBF), ANY, ANY), ((0xF1, 0xF3), ANY, ANY, ANY),
    ((0xF4, 0xF4), (0x80, 0x8F), ANY, ANY),
)


def first_impossible(data):
    """Where no character can go on as it began; None when only the end is missing."""
    begun = b""
    for at, byte in enumerate(data):
        begun += bytes([byte])
        fitting = [form for form in FORMS if len(form) >= len(begun)
                   and all(low <= b <= high for b, (low, high) in zip(begun, form))]
        if not fitting:
            return at
        if len(fitting[0]) == len(begun):
            begun = b""
    return None


def comes_back(data, fragment=None, chop=None):
    def body(link):
        step = fragment or len(data)
        link.send_fragments(TEXT, [data[i:i + step] for i in range(0, len(data), step)], chop)
        link.expect_message(TEXT, data)
        link.finish()
    return body


def is_refused(data, fragment=None, chop=None):
    def body(link):
        step = fragment or len(data)
        link.send_fragments(TEXT, [data[i:i + step] for i in range(0, len(data), step)], chop)
        link.expect_failure(1007)
    return body


def fails_fast_in_frame(good, bad):
    """A body: a frame that says it is longer; the byte that cannot be ends it though the rest is
    never sent, and what was before it does not."""
    def body(link):
        frame = link.frame(TEXT, good + bad, length=len(good) + 100)
        link.send_raw(frame[:-1])
        require(link.wire.is_quiet(0.02), "refused before the byte that cannot be")
        link.send_raw(frame[-1:])
        link.expect_failure(1007)
    return body


def fails_fast_in_fragments(good, bad):
    """A body: what may still become UTF-8 is waited for; the next fragment's first byte fails."""
    def body(link):
        link.send(TEXT, good + bad[:-1], fin=False)
        link.send(PING, b"so far")
        link.expect_pong(b"so far")
        link.send_raw(link.frame(CONTINUATION, bad[-1:], fin=False, length=50))
        link.expect_failure(1007)
    return body


def fails_at_the_end(data):
    """A body: half a character is waited for until the message ends."""
    def body(link):
        link.send(TEXT, data, fin=False)
        link.send(PING, b"so far")
        link.expect_pong(b"so far")
        link.send(CONTINUATION, b"")
        link.expect_failure(1007)
    return body


group = Group("6.1", "RFC 6455 §5.6")
for said, data in VALID:
    text = b"<" + data + b">"
    group.add(f"A text with {said} comes back.", comes_back(text))
    group.add(f"A text with {said}, a fragment for each byte, comes back.",
              comes_back(text, fragment=1))
    group.add(f"A text with {said} alone, each byte sent alone, comes back.",
              comes_back(data, chop=1))
every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10000)]))
group.add("Every code point of the first plane comes back.", comes_back(every.encode()))
group.add("Every code point of the first plane, cut at odd places, comes back.",
          comes_back(every.encode(), fragment=1009, chop=811))
group.add("Every 17th code point of the other planes comes back.",
          comes_back("".join(map(chr, range(0x10000, 0x110000, 17))).encode(), chop=4093))
group.add("Empty fragments inside a character change nothing.", lambda link: (
    link.send_fragments(TEXT, [b"\xf0", b"", b"\x9f", b"", b"\x8c", b"\x8a"]),
    link.expect_message(TEXT, "🌊".encode()), link.finish()))
group.add("A ping inside a character changes nothing.", lambda link: (
    link.send(TEXT, b"\xe2\x82", fin=False), link.is_alive(), link.send(CONTINUATION, b"\xac"),
    link.expect_message(TEXT, "€".encode()), link.finish()))
group.add("A binary message need not be UTF-8.", lambda link: (
    link.send(2, b"\xff\xfe\xc0\x80"), link.expect_message(2, b"\xff\xfe\xc0\x80"), link.finish()))
group.add("A ping need not be UTF-8.", lambda link: (
    link.send(PING, b"\xff\xfe\xc0"), link.expect_pong(b"\xff\xfe\xc0"), link.finish()))
group.add("Half a character of one message is not carried into the next.", lambda link: (
    link.send(2, b"\xe2\x82"), link.expect_message(2, b"\xe2\x82"), link.send(TEXT, b"a"),
    link.expect_message(TEXT, b"a"), link.send(TEXT, b"\xac"), link.expect_failure(1007)))

whole, split, single, fast, fragmented = (Group(f"6.{n}", "RFC 6455 §8.1") for n in range(2, 7))
for said, data, where in INVALID:
    assert first_impossible(data) == where, said
    rest = b"" if where is None else b" and more"
    whole.add(f"A text with {said} is refused.", is_refused(b"good " + data + rest))
    split.add(f"A text with {said}, a fragment for each byte, is refused.",
              is_refused(b"good " + data + rest, fragment=1))
    single.add(f"A text with {said}, each byte sent alone, is refused.",
               is_refused(data + rest, chop=1))
    if where is None:
        fragmented.add(f"A text with {said} is refused when it ends, not before.",
                       fails_at_the_end(b"good " + data))
    else:
        fast.add(f"A text with {said} is refused at the byte that cannot be.",
                 fails_fast_in_frame(b"good ", data[:where + 1]))
        fragmented.add(f"A text with {said}, split before the byte that cannot be, is refused at"
                       " it.", fails_fast_in_fragments(b"good ", data[:where + 1]))

late = Group("6.7", "RFC 6455 §8.1")
for before in (125, 126, 4096, 65535, 65536):
    late.add(f"A byte that cannot be after {before} good ones ends a frame of which the rest never"
             " comes.", fails_fast_in_frame(b"a" * before, b"\xff"))
    late.add(f"A character cut after {before} good bytes is refused at the end of the message.",
             is_refused(b"a" * before + b"\xe2\x82"))
