#!/usr/bin/env python3
"""Finds two kinds of coroutine bug in the sources: lambdas that capture and are coroutines (their captures die with the
lambda, the coroutine goes on), and two co_await in one statement (which is where compilers went wrong; STYLE 27).

coroutines.py [ROOT]: prints one line a finding, exits 1 if there are any.
"""
import re

import source

TOKEN = re.compile(r"[A-Za-z_]\w*|::|->|\[\[|\]\]|[{}()\[\];,=:<>?&*.]|\S")
WORDS = {"co_await", "co_return", "co_yield"}
BEFORE_LAMBDA = {"return", "co_return", "co_await", "co_yield", "case", "else", "throw"}
CONTROL = {"if", "while", "for", "switch"}
PAIRS = {"(": ")", "[": "]", "{": "}"}


def tokens_of(text):
    """(word, position) of every token; preprocessor lines, comments and literals are left out (a literal becomes 0)."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), source.blank(text), flags=re.M)
    found = []
    for match in TOKEN.finditer(code):
        word = match.group(0)
        if word in ("[[", "]]"):  # may also be a[b[0]]
            found += [(word[0], match.start()), (word[0], match.start() + 1)]
        else:
            found.append((word, match.start()))
    return found


def closing(tokens, at):
    """Index of the bracket that closes the one at `at`, or the end."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i][0] in PAIRS:
            depth += 1
        elif tokens[i][0] in PAIRS.values():
            depth -= 1
            if depth == 0:
                return i
    return len(tokens) - 1


def lambda_body(tokens, at):
    """For a `[` at index `at` that begins a lambda: (end of its captures, begin of its body); otherwise None."""
    before = tokens[at - 1][0] if at else ""
    if (re.fullmatch(r"\w+", before) and before not in BEFORE_LAMBDA) or before in (")", "]", "["):
        return None
    if at + 1 < len(tokens) and tokens[at + 1][0] == "[":
        return None  # an attribute
    end = closing(tokens, at)
    i = end + 1
    while i < len(tokens):
        word = tokens[i][0]
        if word == "{":
            return end, i
        if word == "(":
            i = closing(tokens, i) + 1
        elif word in (";", ",", ")", "]", "}", "=", "?") or (word == ":" and i == end + 1):
            return None
        else:  # template parameters, specifiers, attributes, return type
            i = closing(tokens, i) + 1 if word == "[" else i + 1
    return None


def capturing_coroutines(tokens):
    """Positions of lambdas with captures whose own body (nested lambdas apart) is a coroutine's."""
    lambdas = []
    for i, (word, _) in enumerate(tokens):
        if word == "[":
            found = lambda_body(tokens, i)
            if found:
                lambdas.append((i, found[0], found[1], closing(tokens, found[1])))
    for begin, captures_end, body, end in lambdas:
        if captures_end == begin + 1:
            continue
        inner = [(b, e) for _, _, b, e in lambdas if body < b and e < end]
        for i in range(body, end):
            if tokens[i][0] in WORDS and not any(b < i < e for b, e in inner):
                yield tokens[begin][1]
                break


def double_awaits(tokens):
    """Positions of the second co_await in a statement. The head of if, while, for, switch counts as one of its own."""
    count, heads = 0, []
    for i, (word, position) in enumerate(tokens):
        if word in CONTROL:
            at = i + 1
            while at < len(tokens) and tokens[at][0] != "(":
                at += 1
            heads.append(closing(tokens, at) if at < len(tokens) else i)
        if word in (";", "{", "}") or i in heads:
            count = 0
        elif word == "co_await":
            count += 1
            if count == 2:
                yield position


def check(root):
    findings = []
    for path in source.files(root, "include", "src", "tests", "bench"):
        if not path.endswith((".h", ".cc")):
            continue
        text = source.read(root, path)
        if "co_" not in text:
            continue
        tokens = tokens_of(text)
        for position in capturing_coroutines(tokens):
            findings.append(f"{path}:{source.line_of(text, position)}: a coroutine lambda captures; pass its state as arguments")
        for position in double_awaits(tokens):
            findings.append(f"{path}:{source.line_of(text, position)}: a second co_await in one statement; bind the first to a name")
    return findings


if __name__ == "__main__":
    source.report(check(source.root_from_arguments()), "coroutines")
