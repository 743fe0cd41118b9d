"""Category 0: the opening handshake (RFC 6455 §4)."""

import base64
import hashlib

from client import GUID, TEXT, Link, check_accepted, request, require
from registry import Group

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def fields_of(target, change=None, more=()):
    """The fields of a good handshake; `change` replaces some, None leaves one out."""
    fields = {"Host": target.host_field, "Upgrade": "websocket", "Connection": "Upgrade",
              "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", **(change or {})}
    return [(name, value) for name, value in fields.items() if value is not None] + list(more)


def exchange(target, data, chop=None, pace=0.0):
    wire = target.wire()
    try:
        wire.send(data, chop, pace)
        return wire, wire.read_head()
    except BaseException:
        wire.close()
        raise


def accepted(change=None, more=(), key=KEY, chop=None, pace=0.0, edit=None, check=None, after=b""):
    """A body: the handshake succeeds and the connection works."""
    def body(target):
        data = request(target.path, fields_of(target, change, more))
        wire, answer = exchange(target, (edit(data) if edit else data) + after, chop, pace)
        try:
            check_accepted(answer, key)
            if check:
                check(answer)
            link = Link(wire, answer, has_asked_protocol=any(
                name == "Sec-WebSocket-Protocol" for name, _ in more))
            if not after:
                link.send(TEXT, b"hello")
            link.expect_message(TEXT, b"hello")
            link.finish()
        finally:
            wire.close()
    return body


def refused(*statuses, change=None, more=(), edit=None, check=None, **how):
    """A body: the answer is one of `statuses` and never 101."""
    def body(target):
        data = request(target.path, fields_of(target, change, more), **how)
        wire, answer = exchange(target, edit(data) if edit else data)
        wire.close()
        require(answer.status in statuses, f"answered {answer.status}, not {statuses[0]}")
        require(answer.get("sec-websocket-accept") is None, "an accept in a refusal")
        if check:
            check(answer)
    return body


def names_version(answer):
    versions = [part.strip() for part in (answer.get("sec-websocket-version") or "").split(",")]
    require("13" in versions, "the refusal does not name version 13")


def has_protocol(wanted):
    def check(answer):
        got = answer.get("sec-websocket-protocol")
        require(got == wanted, f"the subprotocol is {got!r}, not {wanted!r}")
    return check


def swap(old, new):
    return lambda data: data.replace(old, new, 1)


good = Group("0.1", "RFC 6455 §4.2.1", is_raw=True)
good.add("A plain handshake is accepted.", accepted())
good.add("The example key of the RFC gets the example's answer.", accepted(
    check=lambda answer: require(
        answer.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "another accept")),
    "RFC 6455 §1.3")
good.add("Another key gets its own answer.",
         accepted({"Sec-WebSocket-Key": "AQIDBAUGBwgJCgsMDQ4PEA=="},
                  key="AQIDBAUGBwgJCgsMDQ4PEA=="), "RFC 6455 §4.2.2")
good.add("The value of Upgrade is compared without regard to case.",
         accepted({"Upgrade": "WebSocket"}))
good.add("Capitals in Upgrade are accepted.", accepted({"Upgrade": "WEBSOCKET"}))
good.add("The value of Connection is compared without regard to case.",
         accepted({"Connection": "upgrade"}))
good.add("Connection may list other tokens before Upgrade.",
         accepted({"Connection": "keep-alive, Upgrade"}))
good.add("Connection may list other tokens after Upgrade.",
         accepted({"Connection": "Upgrade,keep-alive"}))
good.add("Connection may come in two fields.", accepted(more=[("Connection", "keep-alive")]))
good.add("Upgrade may list websocket among others.", accepted({"Upgrade": "h2c, websocket"}))
good.add("Names of fields are compared without regard to case.", accepted(edit=lambda data: (
    data.replace(b"Upgrade: ", b"UPGRADE: ").replace(b"Sec-WebSocket-Key", b"sec-websocket-KEY")
    .replace(b"Sec-WebSocket-Version", b"sec-websocket-version"))))
good.add("White space around values is no part of them.", accepted(
    edit=lambda data: data.replace(b": 13", b":  \t13 \t").replace(KEY.encode(),
                                                                 KEY.encode() + b" \t")))
good.add("No white space after the colons is needed.",
         accepted(edit=lambda data: data.replace(b": ", b":")))
good.add("A handshake byte by byte is accepted.", accepted(chop=1))
good.add("A handshake in slow pieces is accepted.", accepted(chop=40, pace=0.01))
good.add("A handshake split inside its last line end is accepted.",
         accepted(chop=1, pace=0.0005))
good.add("Fields nobody knows are ignored.", accepted(
    more=[("X-One", "1"), ("Cookie", "a=b"), ("User-Agent", "conformance")]), "RFC 6455 §4.1")
good.add("A query does not disturb the handshake.", lambda target: accepted(
    edit=lambda data: data.replace(b" HTTP/1.1", b"?a=b&c=%20 HTTP/1.1", 1)
    if "?" not in target.path else data)(target), "RFC 6455 §3")
good.add("Frames in the same packet as the handshake are not lost.", accepted(
    after=b"\x81\x85\x00\x00\x00\x00hello"), "RFC 6455 §4.1")
good.add("Frames that follow the handshake in one stream of single bytes are not lost.",
         accepted(after=b"\x81\x85\x01\x02\x03\x04" + bytes(
             a ^ b for a, b in zip(b"hello", b"\x01\x02\x03\x04\x01")), chop=1), "RFC 6455 §4.1")
good.add("A Content-Length of 0 is no body.", accepted(more=[("Content-Length", "0")]))

bad = Group("0.2", "RFC 6455 §4.2.1", is_raw=True)
bad.add("Without Host there is no handshake.", refused(400, change={"Host": None}))
bad.add("Without Upgrade there is no handshake.", refused(426, 400, change={"Upgrade": None}))
bad.add("Without Connection there is no handshake.", refused(400, 426,
                                                             change={"Connection": None}))
bad.add("Upgrade to something else is no handshake.", refused(400, 426,
                                                              change={"Upgrade": "h2c"}))
bad.add("Upgrade to a longer word is no handshake.",
        refused(400, 426, change={"Upgrade": "websockets"}))
bad.add("Connection without the token Upgrade is no handshake.",
        refused(400, 426, change={"Connection": "keep-alive"}))
bad.add("Connection with a longer word than Upgrade is no handshake.",
        refused(400, 426, change={"Connection": "upgrades"}))
bad.add("Without a key there is no handshake.", refused(400, change={"Sec-WebSocket-Key": None}))
bad.add("Two keys are refused.", refused(400, more=[("Sec-WebSocket-Key", KEY)]),
        "RFC 6455 §11.3.1")
for sentence, key in (
        ("An empty key is refused.", ""),
        ("A key of 15 bytes is refused.", base64.b64encode(b"x" * 15).decode()),
        ("A key of 17 bytes is refused.", base64.b64encode(b"x" * 17).decode()),
        ("A key of 18 bytes is refused.", base64.b64encode(b"x" * 18).decode()),
        ("A key of 8 bytes is refused.", base64.b64encode(b"x" * 8).decode()),
        ("A key that is not base64 is refused.", "dGhlIHNhbXBsZSBub25j!!=="),
        ("A key in the other alphabet of base64 is refused.", "_-_-_-_-_-_-_-_-_-_-_A=="),
        ("A key without its padding is refused.", KEY.rstrip("=")),
        ("A key with padding inside is refused.", "dGhlIHNh=XBsZSBub25jZQ=="),
        ("A key with white space inside is refused.", "dGhlIHNhbXBs ZSBub25jZQ=")):
    bad.add(sentence, refused(400, change={"Sec-WebSocket-Key": key}))
bad.add("A handshake is no POST.", refused(405, 400, method="POST", more=[
    ("Content-Length", "0")]))
bad.add("A handshake is no HEAD.", refused(405, 400, method="HEAD"))
bad.add("A handshake is no PUT.", refused(405, 400, method="PUT", more=[("Content-Length", "0")]))
bad.add("A handshake is no get: methods know case.", refused(400, 405, 501, method="get"))
bad.add("A handshake in HTTP/1.0 is refused.", refused(400, 426, 505, version="HTTP/1.0"))
bad.add("A handshake in HTTP/0.9 is refused.", refused(400, 426, 505, version="HTTP/0.9"))
bad.add("A handshake in HTTP/2.0 is refused.", refused(400, 426, 505, version="HTTP/2.0"))
bad.add("A handshake with a body is refused.", refused(
    400, more=[("Content-Length", "5")], edit=lambda data: data + b"hello"), "RFC 6455 §4.1")
bad.add("A handshake with a chunked body is refused.", refused(
    400, more=[("Transfer-Encoding", "chunked")], edit=lambda data: data + b"0\r\n\r\n"),
    "RFC 6455 §4.1")
bad.add("Two Host fields are refused.", refused(400, more=[("Host", "other.example")]),
        "RFC 9112 §3.2")
bad.add("A name with a space before its colon is refused.",
        refused(400, edit=swap(b"Upgrade:", b"Upgrade :")), "RFC 9112 §5.1")
bad.add("A folded field is refused.", refused(
    400, edit=swap(b"Connection: Upgrade", b"Connection:\r\n Upgrade")), "RFC 9112 §5.2")
bad.add("A zero byte in a field is refused.", refused(
    400, edit=swap(b"Connection: ", b"X-Zero: a\x00b\r\nConnection: ")), "RFC 9110 §5.5")
bad.add("A bare carriage return in a field is refused.", refused(
    400, edit=swap(b"Connection: ", b"X-Return: a\rb\r\nConnection: ")), "RFC 9112 §2.2")

version = Group("0.3", "RFC 6455 §4.4", is_raw=True)
version.add("Without a version the answer names version 13.",
            refused(426, 400, change={"Sec-WebSocket-Version": None}, check=names_version))
for value in ("0", "1", "7", "8", "12", "14", "25", "255", "256", "-13", "013", "13.0", "13a", "",
              "13, 8", "a"):
    version.add(f"Version {value!r} is refused and the answer names version 13.", refused(
        426, 400, change={"Sec-WebSocket-Version": value}, check=names_version))
version.add("Two fields of versions are refused.",
            refused(426, 400, more=[("Sec-WebSocket-Version", "13")]), "RFC 6455 §11.3.5")

protocol = Group("0.4", "RFC 6455 §4.2.2", is_raw=True)
protocol.add("No subprotocol asked, none answered.", accepted(check=has_protocol(None)))
for sentence, offers, wanted in (
        ("A subprotocol the server has is answered.", ["v1.conformance"], "v1.conformance"),
        ("The other subprotocol the server has is answered.", ["v2.conformance"],
         "v2.conformance"),
        ("Unknown subprotocols before a known one are passed over.",
         ["other, v1.conformance"], "v1.conformance"),
        ("Unknown subprotocols after a known one are passed over.",
         ["v1.conformance, other"], "v1.conformance"),
        ("Subprotocols may come in two fields.", ["other", "v1.conformance"], "v1.conformance"),
        ("Where only unknown subprotocols are asked, none is answered.", ["other, more"], None),
        ("Of a subprotocol's name the case counts.", ["V1.CONFORMANCE"], None),
        ("A longer name is another subprotocol.", ["v1.conformance.1"], None),
        ("Of two known subprotocols exactly one is answered.",
         ["v1.conformance, v2.conformance"], "v2.conformance"),
        ("White space is not needed between subprotocols.", ["a,v1.conformance,b"],
         "v1.conformance")):
    protocol.add(sentence, accepted(
        more=[("Sec-WebSocket-Protocol", offer) for offer in offers], check=has_protocol(wanted)))

extension = Group("0.5", "RFC 6455 §9.1", is_raw=True)
for sentence, offer in (
        ("An extension nobody knows is not answered.", "x-unknown"),
        ("An extension nobody knows with parameters is not answered.", "x-unknown; a=1; b"),
        ("Several extensions nobody knows are not answered.", "x-one, x-two; a"),
        ("A forerunner of compression is not answered.", "x-webkit-deflate-frame"),
        ("A quoted parameter of an unknown extension is not answered.", 'x-unknown; a="b"')):
    extension.add(sentence, accepted(more=[("Sec-WebSocket-Extensions", offer)], check=lambda a: (
        require(a.get("sec-websocket-extensions") is None, "an extension in the answer"))))

assert base64.b64encode(hashlib.sha1(KEY.encode() + GUID).digest()) \
    == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
