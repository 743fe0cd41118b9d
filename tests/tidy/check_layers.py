#!/usr/bin/python3
"""Who may include whom: the table of the architecture as data.

An include of "tidegate/<folder>/..." must be in the including folder's row; a private header (one
beside the .c files) belongs to its folder; each third-party header has its one folder.
"""

import pathlib
import re
import sys

BELOW = {
    "base": [],
    "codec": ["base"],
    "config": ["base", "codec"],
    "loop": ["base"],
    "net": ["loop", "base"],
    "http": ["net", "loop", "codec", "base"],
    "ws": ["http", "net", "loop", "codec", "base"],
    "channel": ["loop", "base"],
    "auth": ["config", "codec", "base"],
    "broker": ["channel", "config", "loop", "codec", "base"],
    "upstream": ["config", "loop", "codec", "base"],
    "session": ["channel", "broker", "auth", "upstream", "config", "loop", "codec", "base"],
    "proto": ["session", "channel", "codec", "base"],
    "endpoint": ["ws", "http", "net", "proto", "session", "channel", "config", "loop", "codec",
                 "base"],
    "tunnel": ["ws", "http", "net", "upstream", "config", "loop", "base"],
    "api": ["http", "session", "broker", "channel", "auth", "config", "codec", "base"],
    "admin": ["http", "session", "channel", "upstream", "config", "loop", "codec", "base"],
    "app": ["endpoint", "tunnel", "api", "admin", "proto", "session", "broker", "upstream",
            "channel", "auth", "ws", "http", "net", "loop", "config", "codec", "base"],
    "main.c": ["app", "config", "base"],
}

# The folders a third-party header may be included from. OpenSSL's hashes also serve the WebSocket
# handshake, which answers with a SHA-1.
THIRD_PARTY = {
    "llhttp": ["http"],
    "wslay": ["ws"],
    "zlib.h": ["ws"],
    "jansson": ["codec"],
    "openssl": ["net", "auth", "ws"],
    "hiredis": ["broker"],
    "curl": ["upstream"],
    "ares": ["upstream"],
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(path, root):
    """The layer a file belongs to, and the name to say when it breaks a rule."""
    parts = path.relative_to(root).parts
    if parts[0] == "src":
        return parts[1]
    return parts[2]  # include/tidegate/<folder>/...


def sources(root):
    for top in ("src", "include/tidegate"):
        base = root / top
        if base.is_dir():
            for pattern in ("*.c", "*.h", "*.def"):
                yield from sorted(base.rglob(pattern))


def private_headers(root):
    """{file name: folders that have a private header of that name}."""
    headers = {}
    for path in (root / "src").rglob("*.[hd]*"):
        if path.suffix in (".h", ".def"):
            headers.setdefault(path.name, set()).add(folder_of(path, root))
    return headers


def check_include(folder, name, private, header):
    """What is wrong with one include, or None."""
    if name.startswith("tidegate/"):
        target = name.split("/")[1]
        if target != folder and target not in BELOW.get(folder, []):
            return f"{folder} may not include {target} ({name})"
        return None
    base = name.split("/")[-1]
    if "../" in name or (name.startswith("src/")):
        return f"reaches into another place ({name})"
    if base in private and "/" not in name and folder not in private[base]:
        return f"{name} is private to {', '.join(sorted(private[base]))}"
    if base in private and "/" not in name and header == "public":
        return f"a public header includes the private {name}"
    for prefix, allowed in THIRD_PARTY.items():
        if (name == prefix or name.startswith((prefix + "/", prefix + ".", prefix + "_"))) \
                and folder not in allowed:
            return f"{name} belongs to {', '.join(allowed)}, not to {folder}"
    return None


def check(root):
    """Offences as lines, for the tree at `root`."""
    root = pathlib.Path(root)
    offences = []
    private = private_headers(root) if (root / "src").is_dir() else {}
    for path in sources(root):
        folder = folder_of(path, root)
        where = path.relative_to(root)
        if folder not in BELOW:
            offences.append(f"{where}: the folder {folder} is in no row of the table")
            continue
        header = "public" if where.parts[0] == "include" else "private"
        text = path.read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            problem = check_include(folder, match.group(2), private, header)
            if problem:
                line = text.count("\n", 0, match.start()) + 1
                offences.append(f"{where}:{line}: {problem}")
    return offences


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    offences = check(root)
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
