#!/usr/bin/env python3
"""Checks every #include and every link edge against src/cmake/layers.txt, and the rules for headers and file names.

layers.py [ROOT]: prints one line a finding, exits 1 if there are any.
"""
import os
import re

import source

# Which modules may include a third party's headers (tests are free). The public headers may include none, apart from
# EXCEPTIONS: what they promise must not change with a library.
THIRD_PARTY = {
    "rocksdb/": {"kv"},
    "boost/beast": {"http"},
    "boost/asio": {"async", "http", "net"},
    "prometheus/": {"obs"},
    "spdlog/": {"obs"},
    "yaml-cpp/": {"config"},
    "CLI/": {"app"},
    "unicode/": {"search"},
    "png.h": {"alerting"},
    "curl/": {"processors/notifier"},
}
EXCEPTIONS = {
    "include/honryu/async/task.h": {"boost/asio/any_io_executor.hpp", "boost/asio/awaitable.hpp"},
}
LINK_OWNERS = {
    "honryu_rocksdb": {"kv"},
    "honryu_boost": {"async", "http", "net"},
    "prometheus-cpp::core": {"obs"},
    "spdlog::spdlog": {"obs"},
    "yaml-cpp": {"config"},
    "CLI11::CLI11": {"app"},
    "PkgConfig::ICU": {"search"},
    "PkgConfig::PNG": {"alerting"},
    "PkgConfig::CURL": {"processors/notifier"},
}
NOT_MODULES = {"cmake", "web"}
HEADER_LIKE = (".h", ".cc", ".def", ".inc", ".in")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
FILE_NAME = re.compile(r"^[a-z0-9_]+\.(h|cc)$")
LINK = re.compile(r"^[ \t]*(honryu_module|target_link_libraries|honryu_executable)\s*\(([^)]*)\)", re.M)


class Layers:
    """The table: which module may use which."""

    def __init__(self, root):
        self.allowed, self.findings = {}, []
        for number, line in enumerate(source.read(root, "src/cmake/layers.txt").splitlines(), 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            module, _, rest = line.partition(":")
            for other in rest.split():
                if other not in self.allowed:
                    self.findings.append(f"src/cmake/layers.txt:{number}: {module} names {other}, which is not below it")
            self.allowed[module.strip()] = set(rest.split())
        self.by_length = sorted(self.allowed, key=len, reverse=True)

    def module_of(self, path):
        """The module that owns a path relative to src/ or include/honryu/, or None."""
        return next((m for m in self.by_length if path.startswith(m + "/")), None)

    def may_use(self, module, other):
        return module == other or other in self.allowed[module]


def owner(layers, path):
    """(module, is public) of a path of the tree; (None, False) for what belongs to no module."""
    for prefix, public in (("include/honryu/", True), ("src/", False)):
        if path.startswith(prefix):
            return layers.module_of(path[len(prefix):]), public
    return None, False


def check_includes(root, layers, path, text, findings):
    module, public = owner(layers, path)
    for match in INCLUDE.finditer(source.blank(text, keep_strings=True)):
        where = f"{path}:{source.line_of(text, match.start())}"
        quote, name = match.groups()
        if name.startswith("honryu/"):
            other = layers.module_of(name[len("honryu/"):])
            if quote == "<":
                findings.append(f'{where}: write "{name}" with quotes')
            if other is None:
                findings.append(f"{where}: {name} belongs to no module of src/cmake/layers.txt")
            elif not layers.may_use(module, other):
                findings.append(f"{where}: {module} may not include {name} ({other} is not in its line of layers.txt)")
        elif quote == '"':
            check_private(root, layers, path, name, where, findings)
        else:
            for prefix, owners in THIRD_PARTY.items():
                if name.startswith(prefix) and module not in owners:
                    findings.append(f"{where}: <{name}> is only for {', '.join(sorted(owners))}")
            standard = re.fullmatch(r"[a-z_0-9]+", name)
            if public and not standard and name not in EXCEPTIONS.get(path, ()):
                findings.append(f"{where}: a public header may include only honryu's and the standard library's: <{name}>")


def check_private(root, layers, path, name, where, findings):
    """A quoted include that is not honryu/…: a private header, of the same module."""
    module, public = owner(layers, path)
    if public:
        findings.append(f'{where}: a public header may not include the private "{name}"')
        return
    for candidate in (os.path.normpath(os.path.join(os.path.dirname(path), name)), os.path.join("src", module or "", name),
                      os.path.join("src", name)):
        if os.path.exists(os.path.join(root, candidate)) or os.path.exists(os.path.join(root, candidate + ".in")):
            other, _ = owner(layers, candidate)
            if other != module:
                findings.append(f'{where}: "{name}" is private to {other}')
            return
    findings.append(f'{where}: "{name}" is neither beside this file nor below src/')


def check_links(layers, path, text, findings):
    module = layers.module_of(path[len("src/"):])
    if module is None:
        return
    text = re.sub(r"#[^\n]*", "", text)
    for match in LINK.finditer(text):
        where = f"{path}:{source.line_of(text, match.start())}"
        words = re.sub(r"\$<TARGET_NAME_IF_EXISTS:([^>]*)>", r"\1", match.group(2)).split()
        for word in words[1:]:
            if word.startswith("honryu::"):
                other = word[len("honryu::"):].replace("::", "/")
                if other not in layers.allowed:
                    findings.append(f"{where}: {word} is no module of src/cmake/layers.txt")
                elif not layers.may_use(module, other):
                    findings.append(f"{where}: {module} may not link {word}")
            elif word in LINK_OWNERS and module not in LINK_OWNERS[word]:
                findings.append(f"{where}: {word} is only for {', '.join(sorted(LINK_OWNERS[word]))}")


def check_name(path, findings):
    name = os.path.basename(path)
    if not FILE_NAME.match(name):
        findings.append(f"{path}: file names are snake_case with .h or .cc")
    elif path.startswith("tests/unit/") and name.endswith(".cc") and not name.endswith("_test.cc"):
        findings.append(f"{path}: sources of unit tests are called x_test.cc")


def check_guard(path, text, findings):
    code = source.blank(text).strip()
    if not code.startswith("#pragma once"):
        findings.append(f"{path}:1: a header begins with #pragma once")


def check(root):
    layers = Layers(root)
    findings = list(layers.findings)
    for path in source.files(root, "include", "src", "tests", "bench"):
        if path.endswith("/CMakeLists.txt") and path.startswith("src/"):
            check_links(layers, path, source.read(root, path), findings)
        if not path.endswith((".h", ".cc", ".hpp", ".cpp", ".cxx", ".hh")):
            continue
        text = source.read(root, path)
        check_name(path, findings)
        if path.endswith(".h"):
            check_guard(path, text, findings)
        if path.startswith(("include/", "src/")):
            module, _ = owner(layers, path)
            if module is None:
                findings.append(f"{path}: belongs to no module of src/cmake/layers.txt")
                continue
            check_includes(root, layers, path, text, findings)
    for path in source.files(root, "src"):
        folder = os.path.dirname(path)[len("src/"):]
        if path.endswith("CMakeLists.txt") and folder and folder.split("/")[0] not in NOT_MODULES:
            if folder not in layers.allowed and layers.module_of(folder + "/") is None:
                findings.append(f"{path}: belongs to no module of src/cmake/layers.txt")
    return findings


if __name__ == "__main__":
    source.report(check(source.root_from_arguments()), "layers")
