#!/usr/bin/env python3
"""Checks what has no compiler: no paths of one machine, no TODO without an issue, no overlong files, a README a module.

hygiene.py [ROOT]: prints one line a finding, exits 1 if there are any.
"""
import os
import re

import source

LONGEST = 800
CODE = (".h", ".cc", ".py", ".sh", ".cmake", ".txt", ".js", ".ts", ".css")
TEXT = CODE + (".md", ".yaml", ".yml", ".json", ".service", ".def", ".in", ".sql", "")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:work|home/\w+|root|Users/\w+|tmp/wt)/")
TODO = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
# What is part of a temporary: call()->member, call().member, call().value(), *call().
PART_OF_TEMPORARY = re.compile(r"\)(?:->\w+|\.\w+|\.value\(\))$|^\*.*\)$")
SELF = "tests/lint/"  # names what it looks for


def loop_ranges(text):
    """(line, range expression) of every range-based for."""
    for match in re.finditer(r"\bfor \(", text):
        depth, end = 1, match.end()
        while end < len(text) and depth > 0:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        head = text[match.end():end - 1]
        if ";" not in head and " : " in head:
            yield source.line_of(text, match.start()), head.rsplit(" : ", 1)[1].strip()


def check_text(path, text, findings):
    for pattern, what in ((MACHINE_PATH, "a path of one machine"), (TODO, "TODO needs an issue: TODO(#12)")):
        for match in pattern.finditer(text):
            findings.append(f"{path}:{source.line_of(text, match.start())}: {what}: {match.group(0)}")
    if path.endswith(CODE) and not path.endswith("layers.txt"):
        lines = text.count("\n")
        if lines > LONGEST:
            findings.append(f"{path}: {lines} lines; split files above {LONGEST}")
    if path.endswith((".h", ".cc")):
        for line, expression in loop_ranges(text):
            if PART_OF_TEMPORARY.search(expression):
                findings.append(f"{path}:{line}: the loop's range is part of a temporary, gone before C++23: {expression}")
    if re.search(r"^(?:<{7}|>{7}) ", text, re.M):
        findings.append(f"{path}: a merge conflict was left behind")


def check_readmes(root, findings):
    top = os.path.join(root, "include/honryu")
    for folder, folders, leaves in os.walk(top):
        path = os.path.relpath(folder, root)
        if any(leaf.endswith(".h") for leaf in leaves) and "README.md" not in leaves:
            findings.append(f"{path}: has no README.md")
        folders.sort()


def check(root):
    findings = []
    for path in source.files(root):
        extension = os.path.splitext(path)[1]
        if path.startswith((SELF, "tests/golden/", "tests/fuzz/")) and not path.endswith(CODE):
            continue
        if extension not in TEXT or path.startswith(SELF):
            continue
        check_text(path, source.read(root, path), findings)
    check_readmes(root, findings)
    return findings


if __name__ == "__main__":
    source.report(check(source.root_from_arguments()), "hygiene")
