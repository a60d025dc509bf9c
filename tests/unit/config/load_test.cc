#include "honryu/config/load.h"

#include "sample.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // mkdtemp

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace honryu::config {
namespace {

using std::chrono::milliseconds;

Result<LoadNotes> LoadText(Sample& sample, std::string text, Environment environment = {},
                           std::vector<std::string> overrides = {}) {
  return Load(Sources{std::move(text), "h.yaml", std::move(environment), std::move(overrides)},
              Describing(sample));
}

// The faults of a text that must not load.
std::string FaultsOf(std::string text, Environment environment = {},
                     std::vector<std::string> overrides = {}) {
  Sample sample;
  const auto result = LoadText(sample, std::move(text), std::move(environment), std::move(overrides));
  if (result.ok()) return "loaded";
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
  return result.error().message();
}

class TempFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "honryu-config-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};
using ConfigLoadFiles = TempFiles;

TEST(ConfigLoad, EmptyTextLeavesTheDefaults) {
  for (const char* text : {"", "\n# nothing\n", "{}", "broker:\n"}) {
    Sample sample;
    ASSERT_TRUE(LoadText(sample, text).ok()) << text;
    EXPECT_EQ(sample.broker.port, 4567);
    EXPECT_EQ(sample.origins.size(), 1u);
  }
}

TEST(ConfigLoad, ReadsEveryKindOfField) {
  Sample sample;
  const auto notes = LoadText(sample, R"(
demo: true
data_dir: "/data"
broker:
  port: 65535
  shards: 16
  offset: -9223372036854775808
  connections: 4294967295
  share: 0.25
  timeout: 250ms
  queue: 1GiB
  durability: interval
  codec: zstd
  retention: 10GiB
  age: 1h30m
  peer: http://other:1
  count: 7
origins: [ "*", loopback ]
api_keys:
  - name: mobile
    key: secret-one
    per_second: 1.5e3
    scopes: [read, admin]
  - { name: web, key: secret-two }
)");
  ASSERT_TRUE(notes.ok()) << notes.error().message();
  EXPECT_TRUE(notes->warnings.empty());
  EXPECT_TRUE(sample.demo);
  EXPECT_EQ(sample.data_dir, "/data");
  EXPECT_EQ(sample.broker.port, 65535);
  EXPECT_EQ(sample.broker.shards, 16);
  EXPECT_EQ(sample.broker.offset, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(sample.broker.connections, 4294967295u);
  EXPECT_EQ(sample.broker.share, 0.25);
  EXPECT_EQ(sample.broker.timeout, milliseconds(250));
  EXPECT_EQ(sample.broker.queue, ByteSize::GiB(1));
  EXPECT_EQ(sample.broker.durability, Durability::kInterval);
  EXPECT_EQ(sample.broker.codec, "zstd");
  EXPECT_EQ(sample.broker.retention, ByteSize::GiB(10));
  EXPECT_EQ(sample.broker.age, std::chrono::minutes(90));
  EXPECT_EQ(sample.broker.peer, "http://other:1");
  EXPECT_EQ(sample.broker.count, 7u);
  EXPECT_EQ(sample.origins, (std::vector<std::string>{"*", "loopback"}));
  ASSERT_EQ(sample.api_keys.size(), 2u);
  EXPECT_EQ(sample.api_keys[0].per_second, 1500);
  EXPECT_EQ(sample.api_keys[0].scopes, (std::vector<std::string>{"read", "admin"}));
  EXPECT_EQ(sample.api_keys[1].key, "secret-two");
  EXPECT_EQ(sample.api_keys[1].scopes, (std::vector<std::string>{"write"}));
}

TEST(ConfigLoad, NullUnsetsAnOptionalField) {
  Sample sample;
  sample.broker.retention = ByteSize::GiB(1);
  sample.broker.peer = "x";
  ASSERT_TRUE(LoadText(sample, "broker: {retention: null, peer: }").ok());
  EXPECT_FALSE(sample.broker.retention.has_value());
  EXPECT_FALSE(sample.broker.peer.has_value());
}

TEST(ConfigLoad, AllFaultsAreReportedAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(
      FaultsOf(R"(demo: yes
broker:
  prot: 1
  shards: 0
  timeout: 5
  queue: 1TiB
  durability: fsnc
  codec: gzip
  share: 2
data_dir: ""
origins: loopback
)"),
      "h.yaml:1: demo: expected true or false, found 'yes'\n"
      "h.yaml:3: broker.prot: unknown key; did you mean 'port'?\n"
      "h.yaml:4: broker.shards: expected a whole number from 1 to 10000, found '0'\n"
      "h.yaml:5: broker.timeout: expected a duration from 1ms to 1h (such as 250ms, 5s or 1h30m), found '5'\n"
      "h.yaml:6: broker.queue: expected a size from 64KiB to 4GiB (such as 512KiB or 64MiB), found '1TiB'\n"
      "h.yaml:7: broker.durability: expected one of fsync, interval, none, found 'fsnc'\n"
      "h.yaml:8: broker.codec: expected one of none, lz4, zstd, found 'gzip'\n"
      "h.yaml:9: broker.share: expected a number from 0 to 1, found '2'\n"
      "h.yaml:10: data_dir: expected text that is not empty, found ''\n"
      "h.yaml:11: origins: expected a list, each text of at most 20 characters, found 'loopback'");
}

TEST(ConfigLoad, WrongShapesAreNamed) {
  EXPECT_EQ(FaultsOf("broker: 5"),
            "h.yaml:1: broker: expected a section (keys and values), found a single value");
  EXPECT_EQ(FaultsOf("- a"), "h.yaml:1: expected a section (keys and values), found a list");
  EXPECT_EQ(FaultsOf("broker:\n  port: [1]"),
            "h.yaml:2: broker.port: expected a whole number from 1 to 65535, found a list");
  EXPECT_EQ(FaultsOf("broker:\n  port:"),
            "h.yaml:2: broker.port: expected a whole number from 1 to 65535, found nothing");
  EXPECT_EQ(FaultsOf("broker:\n  port: {a: b}"),
            "h.yaml:2: broker.port: expected a whole number from 1 to 65535, found a section");
  EXPECT_EQ(FaultsOf("\napi_keys:"),
            "h.yaml:2: api_keys: expected a list, found nothing (write [] for none)");
  EXPECT_EQ(FaultsOf("origins: [a, {b: c}]"),
            "h.yaml:1: origins[1]: expected text of at most 20 characters, found a section");
}

TEST(ConfigLoad, NumbersThatDoNotFitAreRefused) {
  for (const char* port : {"0", "65536", "-1", "80x", "8.0", "99999999999999999999", "0x50", "' 80'"})
    EXPECT_NE(FaultsOf(std::string("broker: {port: ") + port + "}"), "loaded") << port;
  for (const char* share : {".nan", "nan", "inf", "-0.1", "1,5"})
    EXPECT_NE(FaultsOf(std::string("broker: {share: '") + share + "'}"), "loaded") << share;
}

TEST(ConfigLoad, UnknownKeysNameTheNearestOrWhereTheyBelong) {
  EXPECT_EQ(FaultsOf("demoo: true"), "h.yaml:1: demoo: unknown key; did you mean 'demo'?");
  EXPECT_EQ(FaultsOf("broker:\n\n  durabiltiy: fsync"),
            "h.yaml:3: broker.durabiltiy: unknown key; did you mean 'durability'?");
  EXPECT_EQ(FaultsOf("port: 1"), "h.yaml:1: port: unknown key; did you mean 'broker.port'?");
  EXPECT_EQ(FaultsOf("zzzzzz: 1"),
            "h.yaml:1: zzzzzz: unknown key; known here: demo, data_dir, broker, origins, api_keys");
  EXPECT_EQ(FaultsOf("broker: {pasword_file: x}"),
            "h.yaml:1: broker.pasword_file: unknown key; did you mean 'password_file'?");
}

TEST(ConfigLoad, ListItemsAreCheckedOneByOne) {
  EXPECT_EQ(FaultsOf(R"(api_keys:
  - name: a
    key: short
  - name: b
    key: long-enough
    scopes: [write, root]
    colour: red
  - key: long-enough
)"),
            "h.yaml:3: api_keys[0].key: expected text of at least 8 characters, found another text (not "
            "shown: it is a "
            "secret)\n"
            "h.yaml:6: api_keys[1].scopes[1]: expected one of read, write, admin, found 'root'\n"
            "h.yaml:7: api_keys[1].colour: unknown key; known here: name, key, per_second, scopes\n"
            "h.yaml:8: api_keys[2].name: missing: expected text of 1 to 64 characters");
}

TEST(ConfigLoad, BrokenYamlGivesTheLine) {
  const std::string faults = FaultsOf("demo: true\nbroker: {port: 1\n");
  EXPECT_EQ(faults.find("h.yaml:3: not valid YAML: "), 0u) << faults;
  EXPECT_EQ(FaultsOf("demo: true\n---\ndemo: false\n"), "h.yaml:3: expected one YAML document, found 2");
  EXPECT_EQ(FaultsOf("demo: true\ndata_dir: x\ndemo: false\n"),
            "h.yaml:3: demo: given twice, first in line 1");
}

TEST(ConfigLoad, AliasesThatMultiplyAreRefused) {
  std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int k = 0; k < 9; ++k) text += "," + last;
    text += "]\n";
  }
  EXPECT_NE(FaultsOf(text).find("more than 100000 values"), std::string::npos);
}

TEST(ConfigLoad, VariablesAreOpenedInTexts) {
  Sample sample;
  const Environment environment{{"HOME_DIR", "/h"}, {"PORT", "81"}, {"EMPTY", ""}};
  ASSERT_TRUE(LoadText(sample,
                       "data_dir: ${HOME_DIR}/x/${NONE:-y}/$${Z}/${EMPTY:-e}\n"
                       "broker: {port: '${PORT}', peer: 'p${EMPTY}'}\n",
                       environment)
                  .ok());
  EXPECT_EQ(sample.data_dir, "/h/x/y/${Z}/e");
  EXPECT_EQ(sample.broker.port, 81);
  EXPECT_EQ(sample.broker.peer, "p");
}

TEST(ConfigLoad, AVariableThatIsNotSetIsNamedWithItsLine) {
  EXPECT_EQ(FaultsOf("demo: false\ndata_dir: ${NOPE}/x\nbroker:\n  peer: a${\n  codec: ${a-b}\n"),
            "h.yaml:2: data_dir: environment variable NOPE is not set and has no default\n"
            "h.yaml:4: broker.peer: '${' without '}' (write '$${' for a plain '${')\n"
            "h.yaml:5: broker.codec: expected ${NAME} or ${NAME:-default}");
}

TEST(ConfigLoad, EnvironmentOverridesTheFileAndFlagsOverrideBoth) {
  Sample sample;
  const Environment environment{{"HONRYU__BROKER__PORT", "2"}, {"HONRYU__BROKER__SHARDS", "22"},
                                {"HONRYU__ORIGINS", "a, b"},   {"HONRYU__API_KEYS__0__PER_SECOND", "9"},
                                {"HONRYU_OTHER", "not ours"},  {"PATH", "/bin"}};
  const auto notes =
      LoadText(sample, "broker: {port: 1, shards: 1, timeout: 1s}\napi_keys: [{name: n, key: 12345678}]",
               environment, {"broker.port=3", "api_keys.1={name: m, key: abcdefgh}", "broker.peer=a=b"});
  ASSERT_TRUE(notes.ok()) << notes.error().message();
  EXPECT_EQ(sample.broker.port, 3);
  EXPECT_EQ(sample.broker.shards, 22);
  EXPECT_EQ(sample.broker.timeout, std::chrono::seconds(1));
  EXPECT_EQ(sample.origins, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(sample.api_keys.size(), 2u);
  EXPECT_EQ(sample.api_keys[0].name, "n");
  EXPECT_EQ(sample.api_keys[0].per_second, 9);
  EXPECT_EQ(sample.api_keys[1].name, "m");
  EXPECT_EQ(sample.broker.peer, "a=b");
}

TEST(ConfigLoad, FaultsOfOverridesNameTheVariableOrTheFlag) {
  EXPECT_EQ(FaultsOf("broker: {codec: x}", {{"HONRYU__BROKR__PORT", "1"}, {"HONRYU____X", "1"}},
                     {"broker.port=x", "nothing", "broker.port.deep=1", "api_keys.3.name=x"}),
            "h.yaml:1: broker.codec: expected one of none, lz4, zstd, found 'x'\n"
            "HONRYU____X: expected a name such as HONRYU__BROKER__PORT\n"
            "HONRYU__BROKR__PORT: brokr: unknown key; did you mean 'broker'?\n"
            "--set: expected key=value such as broker.port=4567, found 'nothing'\n"
            "--set: broker.port.deep: the value above it, from --set, is no section\n"
            "--set: api_keys[3]: expected the number of an item from 0 to 0\n"
            "--set: broker.port: expected a whole number from 1 to 65535, found 'x'");
}

TEST(ConfigLoad, VariablesInOverridesAreNotOpened) {
  Sample sample;
  ASSERT_TRUE(LoadText(sample, "", {{"HONRYU__DATA_DIR", "/x/${HOME}"}}).ok());
  EXPECT_EQ(sample.data_dir, "/x/${HOME}");
}

TEST(ConfigLoad, FormerNamesAndDeprecatedKeysWarn) {
  Sample sample;
  const auto notes = LoadText(sample, "broker:\n  listen_port: 99\n  entries: 5\n");
  ASSERT_TRUE(notes.ok()) << notes.error().message();
  EXPECT_EQ(sample.broker.port, 99);
  EXPECT_EQ(notes->warnings,
            (std::vector<std::string>{"h.yaml:2: broker.listen_port: is now called broker.port",
                                      "h.yaml:3: broker.entries: deprecated: Old."}));
  EXPECT_EQ(FaultsOf("broker:\n  port: 1\n  listen_port: 99\n"),
            "h.yaml:3: broker.listen_port: given together with its new name broker.port");
}

TEST(ConfigLoad, RulesOverSeveralFieldsGiveOneFaultALine) {
  EXPECT_EQ(FaultsOf("demo: true\nbroker:\n  durability: none\n  shards: 101\n"),
            "h.yaml:3: broker: too many shards for durability none\n"
            "h.yaml:3: broker: second rule broken");
}

TEST_F(ConfigLoadFiles, SecretsMayComeFromAFile) {
  Sample sample;
  const std::string path = Write("password", "p4ss word\n");
  ASSERT_TRUE(LoadText(sample, "broker: {password_file: " + path + "}").ok());
  EXPECT_EQ(sample.broker.password, "p4ss word");
  // An override of one form wins over the other form in the file.
  ASSERT_TRUE(LoadText(sample, "broker: {password: x}", {}, {"broker.password_file=" + path}).ok());
  EXPECT_EQ(sample.broker.password, "p4ss word");
  ASSERT_TRUE(
      LoadText(sample, "broker: {password_file: /no/such}", {{"HONRYU__BROKER__PASSWORD", "y"}}).ok());
  EXPECT_EQ(sample.broker.password, "y");
  EXPECT_EQ(FaultsOf("broker:\n  password: x\n  password_file: y\n"),
            "h.yaml:3: broker.password_file: given together with broker.password: expected one of the two");
  EXPECT_EQ(FaultsOf("broker:\n  password_file: /no/such\n"),
            "h.yaml:2: broker.password_file: cannot read /no/such: No such file or directory");
  EXPECT_EQ(FaultsOf("broker: {password_file: " + folder_ + "}"),
            "h.yaml:1: broker.password_file: cannot read " + folder_ + ": Is a directory");
  const std::string small = Write("short", "hush\n");
  const std::string faults = FaultsOf("api_keys: [{name: a, key_file: " + small + "}]");
  EXPECT_EQ(faults,
            "h.yaml:1: api_keys[0].key_file: expected a file that holds text of at least 8 characters, found "
            "another "
            "text (not shown: it is a secret)");
}

TEST_F(ConfigLoadFiles, AFileIsReadByItsPath) {
  Sample sample;
  const std::string path = Write("c.yaml", "broker: {port: 5}\nx: 1\n");
  EXPECT_EQ(LoadFile(path, {}, {}, Describing(sample)).error().message(),
            path + ":2: x: unknown key; known here: demo, data_dir, broker, origins, api_keys");
  EXPECT_EQ(LoadFile(folder_ + "/none", {}, {}, Describing(sample)).error().code(), ErrorCode::kIo);
  EXPECT_TRUE(LoadFile("", {}, {"broker.port=6"}, Describing(sample)).ok());
  EXPECT_EQ(sample.broker.port, 6);
}

TEST(ConfigLoad, TheProcessEnvironmentIsCopied) {
  ASSERT_EQ(::setenv("HONRYU_CONFIG_TEST", "a=b", 1), 0);
  EXPECT_EQ(ProcessEnvironment().at("HONRYU_CONFIG_TEST"), "a=b");
}

TEST(ConfigSectionDeathTest, BrokenDescriptionsAbort) {
  int number = 0;
  EXPECT_DEATH(
      {
        Section section;
        section.Field("a", &number, {.doc = "A."});
        section.Field("a", &number, {.doc = "A."});
      },
      "described twice");
  EXPECT_DEATH(Section().Field("Not-Snake", &number, {.doc = "A."}), "snake_case");
}

}  // namespace
}  // namespace honryu::config
