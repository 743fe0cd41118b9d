#!/usr/bin/python3
"""Formatting is clang-format's, with the configuration in the root."""

import pathlib
import subprocess
import sys

TOPS = ("src", "include", "tests", "bench")
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def check(root, style=REPOSITORY / ".clang-format"):
    """Offences as lines, for the tree at `root`."""
    root = pathlib.Path(root)
    files = [path for top in TOPS for pattern in ("*.c", "*.h")
             for path in sorted((root / top).rglob(pattern))]
    if not files:
        return ["no C file found"]
    done = subprocess.run(
        ["clang-format", f"--style=file:{style}", "--dry-run", "-Werror", "--ferror-limit=1",
         *map(str, files)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    offences = [line.replace(f"{root}/", "") for line in done.stdout.splitlines()
                if "error:" in line]
    if done.returncode != 0 and not offences:
        offences = done.stdout.splitlines()[:5] or [f"clang-format: status {done.returncode}"]
    return offences


def main():
    offences = check(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY)
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
