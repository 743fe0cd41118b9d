#!/usr/bin/python3
"""clang-tidy over src/, with the checks of .clang-tidy and the commands of a build."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# What gcc understands and clang does not.
UNKNOWN = ("-fsanitize", "-fstack-clash", "-fcf-protection", "-Wno-maybe", "-Werror")


def commands(build):
    """{file: entry} of the project's own C files in compile_commands.json."""
    entries = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    own = {}
    for entry in entries:
        file = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if REPOSITORY / "src" in file.parents:
            words = [word for word in entry["command"].split() if not word.startswith(UNKNOWN)]
            own[file] = {**entry, "file": str(file), "command": " ".join(words)}
    return own


def shorten(line):
    """The line with its file's path from the repository on."""
    path, colon, rest = line.partition(":")
    resolved = pathlib.Path(path).resolve()
    if REPOSITORY in resolved.parents:
        path = str(resolved.relative_to(REPOSITORY))
    return path + colon + rest


def check_file(file, database):
    done = subprocess.run(
        ["clang-tidy", "-p", database, "--quiet", f"--config-file={REPOSITORY / '.clang-tidy'}",
         str(file)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    lines = [shorten(line) for line in done.stdout.splitlines()
             if " warning: " in line or " error: " in line]
    if done.returncode != 0 and not lines:
        lines = [f"{file}: clang-tidy ended with {done.returncode}"]
    return lines


def check(build, only=None):
    """Offences as lines; `only`: these files, compiled as some file of the build is."""
    own = commands(build)
    if not own:
        return ["no file of src/ in compile_commands.json"]
    if only:
        pattern = next(iter(own.values()))
        own = {pathlib.Path(file): {**pattern, "file": str(file), "command":
               pattern["command"].replace(pattern["command"].split()[-1], str(file))}
               for file in only}
    offences = set()
    with tempfile.TemporaryDirectory(prefix="tidegate-clang-") as database:
        (pathlib.Path(database) / "compile_commands.json").write_text(
            json.dumps(list(own.values())), encoding="utf-8")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
            for lines in pool.map(lambda file: check_file(file, database), sorted(own)):
                offences.update(lines)
    return sorted(offences)


def main():
    offences = check(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY / "build-tests")
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
