"""What the lints share: finding files, removing comments and strings, printing findings."""
import os
import re
import sys

SKIPPED_FOLDERS = {"build", "__pycache__", "node_modules"}


def root_from_arguments():
    """The tree to look at: the first argument, or the one that this file stands in."""
    if len(sys.argv) > 1:
        return os.path.abspath(sys.argv[1])
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(root, *folders):
    """Paths of all files below the folders (all: the whole tree), relative to root, sorted."""
    found = []
    for folder in folders or ("",):
        for path, names, leaves in os.walk(os.path.join(root, folder)):
            names[:] = [n for n in names if n not in SKIPPED_FOLDERS and (not n.startswith(".") or n == ".ci")]
            found += [os.path.relpath(os.path.join(path, leaf), root) for leaf in leaves if leaf != ".git"]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


_SKIP = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z_])(?:u8|u|U|L)?'(?:\\.|[^'\\\n])+'", re.S)


def blank(text, keep_strings=False):
    """The text with comments (and string and character literals) blanked; line numbers stay."""

    def replace(match):
        piece = match.group(0)
        if piece.startswith("/") or not keep_strings:
            return re.sub(r"[^\n]", " ", piece)
        return piece

    return _SKIP.sub(replace, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def report(findings, what):
    """Prints the findings and leaves with 1 if there are any."""
    for finding in findings:
        print(finding)
    print(f"{what}: {len(findings)} finding{'s' if len(findings) != 1 else ''}")
    sys.exit(1 if findings else 0)
