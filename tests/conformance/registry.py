"""The list of cases. A case has an id (`category.group.number`), one sentence, the section it
tests, and a body, which is called with an open Link or, where `is_raw`, with the Target."""

import time
import traceback

CATEGORIES = {
    0: "opening handshake", 1: "framing", 2: "pings and pongs", 3: "reserved bits",
    4: "opcodes", 5: "fragmentation", 6: "UTF-8", 7: "closing", 9: "limits and volume",
    10: "automatic fragmentation", 12: "compression: contents and sizes",
    13: "compression: parameters", 14: "compression: negotiation", 15: "compression: rules",
}
ALL = []


class Case:
    def __init__(self, name, section, sentence, body, **options):
        self.name = name
        self.section = section
        self.sentence = sentence
        self.body = body
        self.is_raw = options.pop("is_raw", False)
        self.is_heavy = options.pop("is_heavy", False)
        self.offer = options.pop("offer", None)
        self.needs_deflate = options.pop("needs_deflate", False)
        assert not options, options

    @property
    def category(self):
        return int(self.name.split(".")[0])

    @property
    def order(self):
        return tuple(int(part) for part in self.name.split("."))

    def run(self, target):
        """(problem or None, seconds)."""
        began = time.monotonic()
        try:
            self.attempt(target)
            problem = None
        except (AssertionError, OSError) as error:
            problem = str(error) or repr(error)
        except Exception:  # a mistake of the case's own must not end the run
            problem = traceback.format_exc()
        return problem, time.monotonic() - began

    def attempt(self, target):
        if self.is_raw:
            self.body(target)
            return
        link = target.connect(self.offer, seed=self.name)
        try:
            if self.is_heavy:
                link.wire.give_time()
            assert not self.needs_deflate or link.agreed, "permessage-deflate was declined"
            self.body(link)
        finally:
            link.close()


class Group:
    """Numbers the cases of one group."""

    def __init__(self, prefix, section, **options):
        self.prefix = prefix
        self.section = section
        self.options = options
        self.count = 0

    def add(self, sentence, body, section=None, **options):
        self.count += 1
        ALL.append(Case(f"{self.prefix}.{self.count}", section or self.section, sentence, body,
                        **{**self.options, **options}))


def load():
    """Every case, in order."""
    # Imported here: these modules fill ALL.
    from cases import (closing, deflate, deflate_rules, fragments, framing, handshake, limits,
                       negotiation, utf8)
    assert all((closing, deflate, deflate_rules, fragments, framing, handshake, limits,
                negotiation, utf8))
    names = [case.name for case in ALL]
    assert len(names) == len(set(names)), "an id is used twice"
    return sorted(ALL, key=lambda case: case.order)
