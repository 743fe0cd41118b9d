#!/usr/bin/python3
"""Words that do not belong in the repository: notes to oneself, places on somebody's machine,
names of package registries' hosts."""

import pathlib
import re
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# Written in halves, so that this file does not offend against itself.
NOTES = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
PLACES = re.compile("|".join([r"/wo" + r"rk/(?:main|shared)", r"/ho" + r"me/\w+", r"/ro" + r"ot/",
                              r"/Us" + r"ers/\w+", r"/tm" + r"p/tg\b"]))
HOSTS = re.compile("|".join([
    r"registry\." + r"npmjs", r"py" + r"pi\.org", r"pythonhos" + r"ted", r"crat" + r"es\.io",
    r"proxy\.gol" + r"ang", r"repo1?\.mav" + r"en", r"deb\.deb" + r"ian\.org"]))
RULES = [("a note to oneself", NOTES), ("a place on a machine", PLACES),
         ("a registry's host", HOSTS)]


def tracked(root):
    """Files that git knows or would add; every file where there is no git."""
    done = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    if done.returncode == 0 and done.stdout:
        return [root / name for name in done.stdout.splitlines()]
    return [path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]


def check(root):
    """Offences as lines, for the tree at `root`."""
    root = pathlib.Path(root)
    offences = []
    for path in tracked(root):
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        if b"\0" in data[:4096]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            for what, rule in RULES:
                match = rule.search(line)
                if match:
                    offences.append(f"{path.relative_to(root)}:{number}: {what}: "
                                    f"{match.group(0)!r}")
    return offences


def main():
    offences = check(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY)
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
