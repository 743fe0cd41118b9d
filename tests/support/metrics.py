"""Reads Prometheus' text format strictly: what a scraper would refuse fails the test."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)(?: -?\d+)?")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
SUFFIXES = ("_bucket", "_sum", "_count")


class Metrics:
    """Samples by name and labels, with each family's type and help."""

    def __init__(self):
        self.samples = []
        self.types = {}
        self.helps = {}

    def value(self, name, **labels):
        """The sum of the samples of `name` whose labels agree; 0 when there is none."""
        return sum(value for sample, has, value in self.samples if sample == name
                   and all(has.get(key) == wanted for key, wanted in labels.items()))

    def series(self, name):
        return [(labels, value) for sample, labels, value in self.samples if sample == name]

    def has(self, name):
        return name in self.types

    def family(self, sample):
        if sample in self.types:
            return sample
        for suffix in SUFFIXES:
            base = sample[:-len(suffix)]
            if sample.endswith(suffix) and self.types.get(base) == "histogram":
                return base
        return None


def parse_labels(text):
    labels = {}
    at = 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match:
            raise ValueError(f"bad labels: {text!r}")
        if match.group(1) in labels:
            raise ValueError(f"a label twice: {text!r}")
        labels[match.group(1)] = match.group(2)
        at = match.end()
    return labels


def parse(text):
    """Metrics, or ValueError with the line that is wrong."""
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    result = Metrics()
    seen = set()
    finished = set()
    current = None
    for line in text.split("\n")[:-1]:
        if not line:
            continue
        if line.startswith("#"):
            match = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.*)", line)
            if not match:
                continue
            kind, name, rest = match.groups()
            store = result.helps if kind == "HELP" else result.types
            if name in store:
                raise ValueError(f"a second {kind}: {line!r}")
            if kind == "TYPE" and rest not in ("counter", "gauge", "histogram", "summary",
                                               "untyped"):
                raise ValueError(f"an unknown type: {line!r}")
            store[name] = rest
            continue
        match = SAMPLE.fullmatch(line)
        if not match:
            raise ValueError(f"not a sample: {line!r}")
        name, labels, value = match.group(1), parse_labels(match.group(2) or ""), match.group(3)
        family = result.family(name)
        if family is None:
            raise ValueError(f"a sample without a type: {line!r}")
        if family != current:
            if family in finished:
                raise ValueError(f"samples of {family} do not stand together")
            finished.add(family)
            current = family
        key = (name, tuple(sorted(labels.items())))
        if key in seen:
            raise ValueError(f"a series twice: {line!r}")
        seen.add(key)
        result.samples.append((name, labels, float(value)))
    return result


def check_histogram(metrics, name):
    """The rules of a histogram, for each of its series; AssertionError when one is broken."""
    groups = {}
    for labels, value in metrics.series(name + "_bucket"):
        rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        groups.setdefault(rest, []).append((float(labels["le"].replace("+Inf", "inf")), value))
    assert groups, f"{name} has no buckets"
    for rest, buckets in groups.items():
        bounds = [bound for bound, _ in buckets]
        counts = [count for _, count in buckets]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf"), f"{name}: {bounds}"
        assert counts == sorted(counts), f"{name}: not cumulative: {counts}"
        total = metrics.value(name + "_count", **dict(rest))
        assert counts[-1] == total, f"{name}: {counts[-1]} in buckets, {total} counted"
        assert any(labels == dict(rest) for labels, _ in metrics.series(name + "_sum")), \
            f"{name} has no sum"
