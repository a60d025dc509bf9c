#!/usr/bin/env python3
"""Shows that each lint fails where it must, and passes where it should: every test writes a small tree and checks it."""
import os
import tempfile
import unittest

import coroutines
import hygiene
import layers

TABLE = "base:\nasync: base\nkv: base\nhttp: base async\nbroker: base async\napi/gateway: base http\napp: base broker api/gateway\n"


class Lint(unittest.TestCase):
    def findings(self, lint, at):
        """What `lint` finds in a tree of these (path, text) files."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in [("src/cmake/layers.txt", TABLE), *at]:
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return lint.check(root)

    def passes(self, lint, *at):
        self.assertEqual(self.findings(lint, at), [])

    def fails(self, lint, says, *at):
        found = self.findings(lint, at)
        self.assertEqual(len(found), 1, found)
        self.assertIn(says, found[0])


class Layers(Lint):
    def test_downward_include_passes(self):
        self.passes(layers, ("src/http/a.cc", '#include "honryu/async/task.h"\n#include <string>\n'))

    def test_upward_include(self):
        self.fails(layers, "src/async/a.cc:2: async may not include honryu/http/x.h",
                   ("src/async/a.cc", '#include <string>\n#include "honryu/http/x.h"\n'))

    def test_sideways_include_of_a_nested_module(self):
        self.fails(layers, "broker may not include honryu/api/gateway/x.h",
                   ("include/honryu/broker/b.h", '#pragma once\n#include "honryu/api/gateway/x.h"\n'))

    def test_commented_include_passes(self):
        self.passes(layers, ("src/base/a.cc", '// #include "honryu/http/x.h"\n/*\n#include "honryu/http/x.h"\n*/\n'))

    def test_unknown_module(self):
        self.fails(layers, "belongs to no module", ("src/http/a.cc", '#include "honryu/nowhere/x.h"\n'))
        self.fails(layers, "src/nowhere/a.cc: belongs to no module", ("src/nowhere/a.cc", "int x;\n"))

    def test_private_header_of_another_module(self):
        self.fails(layers, '"base/secret.h" is private to base',
                   ("src/base/secret.h", "#pragma once\n"), ("src/http/a.cc", '#include "base/secret.h"\n'))

    def test_own_private_header_passes(self):
        self.passes(layers, ("src/http/secret.h", "#pragma once\n"),
                    ("src/http/a.cc", '#include "secret.h"\n#include "http/secret.h"\n'))

    def test_private_header_in_a_public_one(self):
        self.fails(layers, "may not include the private",
                   ("src/http/secret.h", "#pragma once\n"),
                   ("include/honryu/http/a.h", '#pragma once\n#include "secret.h"\n'))

    def test_link_edge(self):
        self.fails(layers, "src/http/CMakeLists.txt:2: http may not link",
                   ("src/http/CMakeLists.txt", "# http\nhonryu_module(http SOURCES a.cc\n  PUBLIC honryu::base\n  PRIVATE honryu::broker)\n"))
        self.fails(layers, "may not link honryu::broker", ("src/api/gateway/CMakeLists.txt",
                   "honryu_module(api/gateway SOURCES a.cc PUBLIC $<TARGET_NAME_IF_EXISTS:honryu::broker>)\n"))
        self.fails(layers, "honryu_rocksdb is only for kv",
                   ("src/base/CMakeLists.txt", "target_link_libraries(honryu_base PRIVATE honryu_rocksdb)\n"))
        self.passes(layers, ("src/http/CMakeLists.txt", "honryu_module(http SOURCES a.cc PUBLIC honryu::async)\n"))

    def test_third_party(self):
        self.fails(layers, "only for kv", ("src/base/a.cc", "#include <rocksdb/db.h>\n"))
        self.fails(layers, "only for http", ("src/async/a.cc", "#include <boost/beast/core.hpp>\n"))
        self.fails(layers, "only for async", ("src/broker/a.cc", "#include <boost/asio/post.hpp>\n"))
        self.passes(layers, ("src/kv/a.cc", "#include <rocksdb/db.h>\n"))

    def test_public_header_with_a_library(self):
        self.fails(layers, "public header may include only",
                   ("include/honryu/base/a.h", "#pragma once\n#include <simdjson.h>\n"))
        self.passes(layers, ("include/honryu/async/task.h", "#pragma once\n#include <boost/asio/awaitable.hpp>\n"))

    def test_guard(self):
        self.fails(layers, "#pragma once", ("src/base/a.h", "// text\nint x;\n"))
        self.passes(layers, ("src/base/a.h", "// text\n#pragma once\nint x;\n"))

    def test_names(self):
        self.fails(layers, "snake_case", ("src/base/MyFile.cc", ""))
        self.fails(layers, "snake_case", ("src/base/a.cpp", ""))
        self.fails(layers, "x_test.cc", ("tests/unit/base/checks.cc", ""))

    def test_table_out_of_order(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "src/cmake"))
            with open(os.path.join(root, "src/cmake/layers.txt"), "w", encoding="utf-8") as file:
                file.write("base: http\nhttp: base\n")
            self.assertIn("not below it", layers.check(root)[0])


class Coroutines(Lint):
    CAPTURES = "a coroutine lambda captures"
    TWICE = "a second co_await"

    def test_capturing_coroutine(self):
        for capture in ("[this]", "[&]", "[=, x = 1]", "[&a, b]"):
            self.fails(coroutines, self.CAPTURES, ("src/base/a.cc",
                       f"void F() {{\n  auto f = {capture}(int i) mutable -> Task<void> {{ co_await G(i); }};\n}}\n"))
        self.fails(coroutines, "src/base/a.cc:2", ("src/base/a.cc", "\nauto f = [x] { co_return; };\n"))

    def test_harmless_lambdas_pass(self):
        self.passes(coroutines, ("src/base/a.cc", """
            Task<void> F() {
              auto plain = [this](int i) { return G(i); };
              auto coroutine = [](A* a) -> Task<void> { co_await a->B(); co_return; };
              auto outer = [this] { return [](int i) -> Task<void> { co_await H(i); }(1); };
              auto [left, right] = co_await K();
              int array[3] = {1, 2, 3}; array[left] = 2;
              // auto c = [this] { co_return; };
              Log("[x] { co_return; }");
              co_return;
            }
        """))

    def test_inner_capturing_coroutine(self):
        self.fails(coroutines, ":2:", ("src/base/a.cc",
                   "auto f = [this] {\n  return [x](int i) -> Task<void> { co_await H(i); }(1);\n};\n"))

    def test_two_awaits(self):
        self.fails(coroutines, self.TWICE, ("src/base/a.cc", "Task<int> F() {\n  co_return co_await A() +\n    co_await B();\n}\n"))
        self.fails(coroutines, self.TWICE, ("src/base/a.cc", "Task<int> F() {\n  G(co_await A(), co_await B());\n}\n"))

    def test_one_await_each_passes(self):
        self.passes(coroutines, ("src/base/a.cc", """
            Task<int> F() {
              if (co_await A()) co_await B();
              while (co_await C()) { co_await D(); }
              // co_await co_await
              const char* text = "co_await co_await";
              int million = 1'000'000; co_return co_await E(million);
            }
        """))


class Hygiene(Lint):
    def test_machine_paths(self):
        # Put together here, so that this file holds none itself.
        for parts in (("work", "main"), ("home", "somebody"), ("root",), ("tmp", "wt")):
            path = "/".join(("",) + parts + ("x", "y"))
            self.fails(hygiene, "path of one machine", ("docs/a.md", f"see {path}\n"))
        for parts in (("example.com", "work", "x"), (".", "work", "x"), ("${HOME}", "x"), ("network", "y")):
            self.passes(hygiene, ("docs/a.md", "see " + "/".join(parts) + "\n"))

    def test_todo(self):
        self.fails(hygiene, "TODO needs an issue", ("src/base/a.cc", "// TODO: more\n"))
        self.passes(hygiene, ("src/base/a.cc", "// TODO(#12): more\n"))

    def test_length(self):
        self.fails(hygiene, "801 lines", ("src/base/a.cc", "int x;\n" * 801))
        self.passes(hygiene, ("src/base/a.cc", "int x;\n" * 800))

    def test_readme(self):
        self.fails(hygiene, "include/honryu/base: has no README.md", ("include/honryu/base/a.h", "#pragma once\n"))
        self.passes(hygiene, ("include/honryu/base/a.h", "#pragma once\n"), ("include/honryu/base/README.md", "Base.\n"))

    def test_dangling_loop(self):
        self.fails(hygiene, "temporary", ("src/base/a.cc", "for (const Shard& s : Find(1)->shards) {\n}\n"))
        self.fails(hygiene, "temporary", ("src/base/a.cc", "for (auto& r : store.Find(q).value()) x(r);\n"))
        self.fails(hygiene, "temporary", ("src/base/a.cc", "for (auto& [k, v] : *Table()) x(k);\n"))
        self.passes(hygiene, ("src/base/a.cc", "for (const Shard& s : stream->shards) {\n}\nfor (auto& m : row.object()) {\n}\n"))

    def test_conflict(self):
        self.fails(hygiene, "merge conflict", ("docs/a.md", "a\n" + "<" * 7 + " HEAD\nb\n"))


if __name__ == "__main__":
    unittest.main()
