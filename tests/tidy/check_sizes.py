#!/usr/bin/python3
"""How long files and functions are: a tripwire, not a law.

Past the soft size a line is printed; past the hard one it fails, unless a function says why with
a comment `// long: why`. Functions are found by this project's own layout: the opening brace of
a function stands alone in column 0.
"""

import pathlib
import re
import sys

FILE_SOFT, FILE_HARD = 400, 700
HEADER_SOFT, HEADER_HARD = 100, 150
FUNCTION_SOFT, FUNCTION_HARD = 50, 70
NESTING_MAX = 3
NESTING_HARD = 5
PARAMETERS_MAX = 5
PARAMETERS_HARD = 7

# Tables are rows, not code.
TABLES = (".def",)


def functions(lines):
    """(name, first line, last line, parameters, body) of each function, lines counted from 1."""
    index = 0
    while index < len(lines):
        if lines[index] == "{" and index > 0:
            start = index
            end = next((i for i in range(index, len(lines)) if lines[i].startswith("}")),
                       len(lines) - 1)
            first = index - 1
            while first > 0 and lines[first - 1].startswith((" ", "\t")):
                first -= 1
            if first > 0 and lines[first].startswith((" ", "\t")):
                first -= 1
            head = " ".join(line.strip() for line in lines[first:start])
            match = re.search(r"(\w+)\s*\((.*)\)", head)
            if match and not head.startswith(("struct ", "enum ", "union ")) \
                    or match and ")" in head:
                yield match.group(1), first + 1, end + 1, match.group(2), lines[start + 1:end]
            index = end
        index += 1


def count_parameters(text):
    if text.strip() in ("", "void"):
        return 0
    depth, count = 0, 1
    for char in text:
        depth += char in "([{"
        depth -= char in ")]}"
        count += char == "," and depth == 0
    return count


def nesting(body):
    """The deepest block inside the function's own, by indentation of four."""
    deepest = 0
    for line in body:
        stripped = line.lstrip(" ")
        if re.match(r"(\} )?(if|for|while|do|switch|else)\b", stripped) and line.endswith("{"):
            deepest = max(deepest, (len(line) - len(stripped)) // 4)
    return deepest


def check_file(path, where):
    """(soft, hard) lines for one file."""
    soft, hard = [], []
    lines = path.read_text(encoding="utf-8").splitlines()
    first, most = (HEADER_SOFT, HEADER_HARD) if path.suffix == ".h" else (FILE_SOFT, FILE_HARD)
    if len(lines) > first:
        (hard if len(lines) > most else soft).append(f"{where}: {len(lines)} lines (of {first})")
    for name, start, end, parameters, body in functions(lines):
        length = end - start + 1
        said_why = any("// long: " in line
                       for line in lines[max(0, start - 8):start] + lines[start:end])
        if length > FUNCTION_SOFT:
            bad = length > FUNCTION_HARD and not said_why
            (hard if bad else soft).append(f"{where}:{start}: {name}: {length} lines"
                                           f" (of {FUNCTION_SOFT})")
        count = count_parameters(parameters)
        if count > PARAMETERS_MAX:
            (hard if count > PARAMETERS_HARD else soft).append(
                f"{where}:{start}: {name}: {count} parameters (of {PARAMETERS_MAX})")
        depth = nesting(body)
        if depth > NESTING_MAX:
            (hard if depth > NESTING_HARD else soft).append(
                f"{where}:{start}: {name}: {depth} blocks deep (of {NESTING_MAX})")
    return soft, hard


def check(root):
    """(soft, hard) lines for the tree at `root`."""
    root = pathlib.Path(root)
    soft, hard = [], []
    for top in ("src", "include"):
        for path in sorted((root / top).rglob("*.[ch]")):
            more_soft, more_hard = check_file(path, path.relative_to(root))
            soft += more_soft
            hard += more_hard
    return soft, hard


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    soft, hard = check(root)
    for line in soft:
        print("long:", line)
    for line in hard:
        print("too long:", line)
    return 1 if hard else 0


if __name__ == "__main__":
    sys.exit(main())
