"""Category 14: negotiating permessage-deflate (RFC 7692 §5.1, §7.1; RFC 6455 §9.1)."""

from client import TEXT, Agreement, Link, check_accepted, request, require
from registry import Group

from cases.handshake import KEY, exchange, fields_of

PMD = "permessage-deflate"
JSON = b'{"channel": "news", "data": [1, 2, 3, 4, 5, 6]}' * 20


def works(link):
    for _ in range(3):
        if link.agreed:
            link.send_deflated(TEXT, JSON)
        else:
            link.send(TEXT, JSON)
        link.expect_message(TEXT, JSON)
    link.finish()


def answered(offers, check):
    """A body: the handshake succeeds, `check` is content with the answer, and messages pass."""
    def body(target):
        more = [("Sec-WebSocket-Extensions", offer) for offer in offers]
        wire, answer = exchange(target, request(target.path, fields_of(target, more=more)))
        try:
            check_accepted(answer, KEY)
            link = Link(wire, answer, ", ".join(offers))
            check(link.agreed)
            works(link)
        finally:
            wire.close()
    return body


def accepted(*offers, **wanted):
    """`wanted`: what must have been agreed; the rest follows from the offer."""
    def check(agreed):
        require(agreed is not None, "the offer was declined")
        for name, value in wanted.items():
            got = agreed.params.get(name)
            require(got == value, f"{name} is {got!r} in the answer, not {value!r}")
    return answered(offers, check)


def declined(*offers):
    return answered(offers, lambda agreed: require(agreed is None, "the offer was accepted"))


def malformed(*offers):
    """A body: no such field can be; the connection is not established."""
    def body(target):
        more = [("Sec-WebSocket-Extensions", offer) for offer in offers]
        wire, answer = exchange(target, request(target.path, fields_of(target, more=more)))
        wire.close()
        require(answer.status == 400, f"answered {answer.status}, not 400")
    return body


group = Group("14.1", "RFC 7692 §7.1", is_raw=True)
group.add("Without an offer there is no extension.",
          answered([], lambda agreed: require(agreed is None, "an extension in the answer")))
group.add("A bare offer is accepted.", accepted(PMD))
group.add("An offer of server_no_context_takeover is accepted with it.",
          accepted(f"{PMD}; server_no_context_takeover", server_no_context_takeover=True),
          "RFC 7692 §7.1.1.1")
group.add("An offer of client_no_context_takeover is accepted.",
          accepted(f"{PMD}; client_no_context_takeover"), "RFC 7692 §7.1.1.2")
group.add("An offer of client_max_window_bits without a value is accepted.",
          accepted(f"{PMD}; client_max_window_bits"), "RFC 7692 §7.1.2.2")
for bits in range(8, 16):
    group.add(f"An offer of server_max_window_bits={bits} is accepted with at most that.",
              accepted(f"{PMD}; server_max_window_bits={bits}"), "RFC 7692 §7.1.2.1")
    group.add(f"An offer of client_max_window_bits={bits} is accepted with at most that.",
              accepted(f"{PMD}; client_max_window_bits={bits}"), "RFC 7692 §7.1.2.2")
group.add("An offer of all four parameters is accepted.", accepted(
    f"{PMD}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10;"
    " client_max_window_bits=10", server_no_context_takeover=True))
group.add("An offer of all four parameters in another order is accepted.", accepted(
    f"{PMD}; client_max_window_bits=10; server_max_window_bits=10; client_no_context_takeover;"
    " server_no_context_takeover", server_no_context_takeover=True))
group.add("White space around separators is no part of an offer.",
          accepted(f"{PMD} ;\t server_no_context_takeover  ;client_max_window_bits"))
group.add("No white space is needed in an offer.", accepted(
    f"{PMD};server_no_context_takeover;server_max_window_bits=12;client_max_window_bits"))
group.add("A window may be quoted.", accepted(f'{PMD}; server_max_window_bits="10"'),
          "RFC 7692 §5")
group.add("The client's window may be quoted.", accepted(f'{PMD}; client_max_window_bits="10"'),
          "RFC 7692 §5")

group = Group("14.2", "RFC 7692 §7.1", is_raw=True)
for parameter in ("unknown", "unknown=1", 'unknown="a"', "server_max_window_bit=10",
                  "server_no_context_takeovers", "no_context_takeover", "mem_level=8"):
    group.add(f"An offer with the unknown parameter {parameter} is declined.",
              declined(f"{PMD}; {parameter}"))
    group.add(f"An offer with the unknown parameter {parameter} among known ones is declined.",
              declined(f"{PMD}; client_max_window_bits; {parameter}; server_no_context_takeover"))
for parameter in ("server_no_context_takeover", "client_no_context_takeover",
                  "server_max_window_bits=10", "client_max_window_bits",
                  "client_max_window_bits=10"):
    group.add(f"An offer with {parameter} twice is declined.",
              declined(f"{PMD}; {parameter}; {parameter}"))
group.add("An offer of two windows of the server is declined.",
          declined(f"{PMD}; server_max_window_bits=10; server_max_window_bits=11"))
group.add("An offer of two windows of the client is declined.",
          declined(f"{PMD}; client_max_window_bits; client_max_window_bits=11"))
for flag in ("server_no_context_takeover", "client_no_context_takeover"):
    for value in ("1", "true", '"1"'):
        group.add(f"An offer of {flag}={value} is declined: it takes no value.",
                  declined(f"{PMD}; {flag}={value}"), f"RFC 7692 §7.1.1.{1 + (flag[0] == 'c')}")
group.add("An offer of server_max_window_bits without a value is declined.",
          declined(f"{PMD}; server_max_window_bits"), "RFC 7692 §7.1.2.1")
for party in ("server", "client"):
    for value in ("0", "1", "7", "16", "31", "100", "256", "264", "4294967304", "99999999999999999",
                  "08", "010", "0x9", "-9", "+9", "9.0", "1e1", "ten", '"16"', '"7"', '"010"'):
        group.add(f"An offer of {party}_max_window_bits={value} is declined.",
                  declined(f"{PMD}; {party}_max_window_bits={value}"),
                  f"RFC 7692 §7.1.2.{1 if party == 'server' else 2}")

group = Group("14.3", "RFC 7692 §5.1", is_raw=True)
group.add("An extension nobody knows before the offer is passed over.", accepted(f"x-one, {PMD}"))
group.add("An extension nobody knows after the offer is passed over.", accepted(f"{PMD}, x-one"))
group.add("An offer in a second field is accepted.", accepted("x-one; a=1", PMD))
group.add("Offers in three fields are one list.", accepted(
    f"{PMD}; unknown", f"{PMD}; server_max_window_bits=7",
    f"{PMD}; server_no_context_takeover", server_no_context_takeover=True))
group.add("After an offer that cannot be accepted the next one is.", accepted(
    f"{PMD}; unknown, {PMD}; server_no_context_takeover", server_no_context_takeover=True))
group.add("After an offer with an impossible window the next one is accepted.",
          accepted(f"{PMD}; server_max_window_bits=20, {PMD}"))
group.add("Of two good offers the first is accepted.", accepted(
    f"{PMD}; server_max_window_bits=10, {PMD}; server_max_window_bits=12"))
group.add("Of two offers that cannot be accepted none is.",
          declined(f"{PMD}; unknown, {PMD}; server_max_window_bits"))
group.add("An answer is given once for many offers.",
          accepted(", ".join([f"{PMD}; client_max_window_bits"] * 10)))
group.add("A longer name is another extension.", declined(f"{PMD}2"))
group.add("Another extension of compression is declined.", declined("permessage-bzip2"))
group.add("Its forerunners' names are declined.",
          declined("deflate-frame, x-webkit-deflate-frame, permessage-compress; method=deflate"))
group.add("Empty elements of a list are nothing.", accepted(f", {PMD},"), "RFC 9110 §5.6.1")

group = Group("14.4", "RFC 6455 §9.1", is_raw=True)
for offer in (f"{PMD};", f"{PMD}; ; client_max_window_bits", f"{PMD}; =10",
              f"{PMD}; client_max_window_bits=", "; client_max_window_bits",
              f"{PMD}; server_max_window_bits=\"10", f"{PMD}; server_max_window_bits=10\"",
              f"{PMD} client_max_window_bits", f"{PMD}; server_max_window_bits=1 0",
              f"{PMD}; server_max_window_bits==10", "=", "x/y", f"x-one; a=\"b, {PMD}\"",
              f"x-one; a=\"b, {PMD}, c\"", f"x-one; a=\"b; c\", {PMD}", "x-one; a=\"\"",
              f"{PMD}; a b"):
    group.add(f"A field \"{offer}\" is malformed and ends the handshake.", malformed(offer))

assert Agreement(f"{PMD}; server_max_window_bits=9", f"{PMD}; server_max_window_bits=10").fits(PMD)
