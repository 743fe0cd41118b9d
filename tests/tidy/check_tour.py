#!/usr/bin/python3
"""The tour in README.md: its table of files and functions must agree with the source.

A stop of the tour is a line that names a file of src/ and a function: `net/conn.c` ...
`conn_on_readable`, in a table or in a block of text.
"""

import pathlib
import re
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
STOPS = 16
LINE = re.compile(r"`?(?:src/)?([a-z_]+/[a-z_0-9]+\.c)`?[\s|:]+`?([a-z_0-9]+)`?")


def stops(text):
    """(file, function) of each stop, in order."""
    return LINE.findall(text)


def defines(source, function):
    """Whether the text defines the function: its name at the head of a body in column 0."""
    pattern = rf"^[a-z][^;{{}}=#]*\b{re.escape(function)}\([^;{{}}]*\)\s*\{{"
    return re.search(pattern, source, re.MULTILINE) is not None


def check(root):
    """Offences as lines, for the tree at `root`."""
    root = pathlib.Path(root)
    readme = root / "README.md"
    if not readme.exists():
        return ["no README.md"]
    found = stops(readme.read_text(encoding="utf-8"))
    offences = []
    if len(found) < STOPS:
        offences.append(f"README.md names {len(found)} functions of the tour, not {STOPS}")
    for file, function in found:
        path = root / "src" / file
        if not path.exists():
            offences.append(f"{file}: no such file")
        elif not defines(path.read_text(encoding="utf-8"), function):
            offences.append(f"{file}: does not define {function}")
    return offences


def main():
    offences = check(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY)
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
