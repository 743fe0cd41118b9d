#!/usr/bin/python3
"""Every setting is documented in docs/configuration.md and set somewhere: in the sample or in a
test. The rows come from the program itself: `tidegate config --schema`."""

import json
import pathlib
import re
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SET_IN = ("tests/**/*.py", "tests/**/*.json", "tests/unit/**/*.c", "deploy/*.json",
          "bench/**/*.json", "bench/**/*.py")


def rows(schema, prefix=""):
    """The dotted names of all settings; items of a list are named list[].key."""
    names = []
    for key, inner in schema.get("properties", {}).items():
        name = prefix + key
        if "properties" in inner:
            names += rows(inner, name + ".")
        elif "properties" in inner.get("items", {}):
            names += rows(inner["items"], name + "[].")
        else:
            names.append(name)
    return names


def is_documented(name, text):
    """In backquotes, whole or, inside a list or a group, by what stands after its [] or dot."""
    last = name.split("[].")[-1]
    spellings = {name, name.replace("[]", ""), last}
    return any(f"`{spelling}`" in text for spelling in spellings)


def is_set(name, texts):
    """Somewhere its last word stands as a key, or its dotted name in quotes."""
    last = re.split(r"[.\]]+", name)[-1]
    dotted = name.replace("[]", "")
    key = re.compile(rf'["\']?\b{re.escape(last)}\b\\?["\']?\s*[:=]|"{re.escape(dotted)}["=]')
    return any(key.search(text) for text in texts)


def check(root, schema):
    """Offences as lines, for the settings of `schema`."""
    root = pathlib.Path(root)
    reference = root / "docs" / "configuration.md"
    text = reference.read_text(encoding="utf-8") if reference.exists() else ""
    texts = [path.read_text(encoding="utf-8", errors="replace")
             for pattern in SET_IN for path in sorted(root.glob(pattern))
             if path.name != "check_settings.py"]
    offences = []
    names = rows(schema)
    if not names:
        offences.append("the schema has no settings")
    for name in names:
        if not is_documented(name, text):
            offences.append(f"{name}: not in docs/configuration.md")
        if not is_set(name, texts):
            offences.append(f"{name}: set in no test and not in the sample")
    return offences


def schema_of(binary):
    done = subprocess.run([binary, "config", "--schema"], check=True, stdout=subprocess.PIPE,
                          timeout=30)
    return json.loads(done.stdout)


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else str(REPOSITORY / "build-tests" / "tidegate")
    offences = check(REPOSITORY, schema_of(binary))
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
