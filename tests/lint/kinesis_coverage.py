#!/usr/bin/env python3
"""Which operations of the Kinesis API are driven by which tests: the table in docs/kinesis-compatibility.md.

usage: kinesis_coverage.py REPOSITORY [--write]. Without --write it fails when the page's table is not the one that the tests give.
"""
import glob
import os
import re
import sys

PAGE = "docs/kinesis-compatibility.md"
BEGIN, END = "<!-- table: tests/lint/kinesis_coverage.py --write -->", "<!-- end of table -->"


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def operations(root):
    """In the order of the server's own table; Honryu's extensions, which follow, are left out."""
    text = read(root, "src/wire/operation.cc")
    names = re.findall(r'"(\w+)"', text[text.index("kNames[kOperationCount]"):text.index("};")])
    return names[:names.index("AcquireLease")]


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def columns(root):
    """(heading, a function that says whether the operation is driven there)."""
    unit = "".join(read(path) for path in sorted(glob.glob(os.path.join(root, "tests/unit/api_kinesis/*.cc"))))
    boto3 = read(root, "tests/clients/kinesis_boto3.py")
    awscli = read(root, "tests/clients/kinesis_awscli.sh")
    script = read(root, "tests/clients/js/kinesis.mjs")
    java = read(root, "tests/clients/java/Kinesis.java")
    curl = read(root, "tests/clients/http2_curl.sh")
    return [
        ("unit tests", lambda name: re.search(rf'"(Kinesis_20131202\.)?{name}"', unit)),
        ("boto3", lambda name: re.search(rf"kinesis\.{snake(name)}\b", boto3)),
        ("aws CLI", lambda name: re.search(rf"\b{snake(name).replace('_', '-')}\b", awscli)),
        ("AWS SDK for JavaScript, HTTP/2 and 1.1", lambda name: f"new {name}Command" in script),
        ("AWS SDK for Java v2, CBOR and JSON, HTTP/2 and 1.1", lambda name: f"client.{name[0].lower()}{name[1:]}(" in java),
        ("curl, HTTP/2", lambda name: re.search(rf"\b{name}\b", curl)),
    ]


def table(root):
    found = columns(root)
    lines = ["| operation | " + " | ".join(heading for heading, _ in found) + " |", "|---" * (len(found) + 1) + "|"]
    uncovered = []
    for name in operations(root):
        marks = ["yes" if driven(name) else "" for _, driven in found]
        if not any(marks):
            uncovered.append(name)
        lines.append(f"| {name} | " + " | ".join(marks) + " |")
    return "\n".join(lines), uncovered


def main():
    root = sys.argv[1]
    wanted, uncovered = table(root)
    page = read(root, PAGE)
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    if "--write" in sys.argv[2:]:
        with open(os.path.join(root, PAGE), "w", encoding="utf-8") as file:
            file.write(page[:begin] + "\n" + wanted + "\n" + page[end:])
        return 0
    if uncovered:
        print("no test drives: " + ", ".join(uncovered))
        return 1
    if page[begin:end].strip() != wanted:
        print(f"{PAGE}: the table is not up to date; run tests/lint/kinesis_coverage.py . --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
