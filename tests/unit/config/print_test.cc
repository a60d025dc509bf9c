#include "honryu/config/print.h"

#include "honryu/config/load.h"
#include "sample.h"

#include <gtest/gtest.h>

namespace honryu::config {
namespace {

Sample Unusual() {
  Sample sample;
  sample.demo = true;
  sample.data_dir = "/d ${X} \"q\" \\ \x01 true";
  sample.broker.port = 1;
  sample.broker.share = 0.1;
  sample.broker.timeout = std::chrono::milliseconds(1500);
  sample.broker.queue = ByteSize{(1 << 20) + 1};
  sample.broker.durability = Durability::kNone;
  sample.broker.retention = ByteSize::GiB(3);
  sample.broker.peer = "true";
  sample.origins = {"*", "https://a.b", "渋谷"};
  sample.api_keys.push_back({"n", "", 5, {"read"}});
  sample.api_keys.push_back({"123", "", 0.25, {}});
  return sample;
}

TEST(ConfigPrint, WhatIsPrintedReadsBackToTheSameValues) {
  for (Sample sample : {Sample(), Unusual()}) {
    for (SampleKey& key : sample.api_keys) key.key = "12345678";
    const std::string text = PrintYaml(Describing(sample));
    Sample back;
    back.origins = {"to be replaced"};
    back.broker.peer = "to be unset";
    const auto notes = Load(Sources{text, "p.yaml", {}, {"broker.password="}},
                            [&back](Section& section) { DescribeSample(back, section); });
    // The secrets print as "***", which is too short for a key.
    if (!sample.api_keys.empty()) {
      ASSERT_FALSE(notes.ok());
      EXPECT_EQ(text.find("12345678"), std::string::npos);
      for (SampleKey& key : back.api_keys) key.key = "12345678";
    } else {
      ASSERT_TRUE(notes.ok()) << notes.error().message() << text;
    }
    EXPECT_EQ(back.data_dir, sample.data_dir);
    EXPECT_EQ(back.broker.peer, sample.broker.peer);
    EXPECT_EQ(back.broker.queue, sample.broker.queue);
    EXPECT_EQ(back.broker.retention, sample.broker.retention);
    EXPECT_EQ(back.origins, sample.origins);
    EXPECT_EQ(back.api_keys.size(), sample.api_keys.size());
    EXPECT_EQ(PrintYaml(Describing(back)), text);
  }
}

TEST(ConfigPrint, YamlShowsDocBoundsAndDefaults) {
  Sample sample;
  sample.broker.password = "hunter2hunter2";
  const std::string text = PrintYaml(Describing(sample));
  EXPECT_NE(text.find("# The log and the Kinesis API.\nbroker:\n"
                      "  # Port to listen on.\n  # A whole number from 1 to 65535.\n  port: 4567\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("  # Bytes kept.\n  # A size (such as 512KiB or 64MiB), or null; for example 10GiB.\n"
                      "  retention: null\n"),
            std::string::npos)
      << text;
  EXPECT_NE(
      text.find(
          "  # For operators.\n  # Text; secret, may be given as password_file.\n  password: \"***\"\n"),
      std::string::npos)
      << text;
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
  EXPECT_NE(text.find("# An item has:\n#     # Shown in logs.\n"), std::string::npos) << text;
  EXPECT_NE(text.find("#   - name: \"\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\napi_keys: []\n"), std::string::npos) << text;
}

TEST(ConfigPrint, MarkdownHasATablePerSection) {
  Sample sample;
  const std::string text = PrintMarkdown(Describing(sample), "Settings");
  EXPECT_EQ(text.find("# Settings\n"), 0u);
  EXPECT_NE(
      text.find("## broker\n\nThe log and the Kinesis API.\n\n| key | default | meaning |\n|---|---|---|\n"
                "| `port` | `4567` | Port to listen on. A whole number from 1 to 65535. |\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("## api_keys[]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("| `connections` | `100` | Open at once. A whole number of at least 0; for tuning. |"),
            std::string::npos)
      << text;
}

TEST(ConfigPrint, JsonSchemaHoldsBoundsAndRefusesUnknownKeys) {
  Sample sample;
  const std::string text = PrintJsonSchema(Describing(sample), "Settings");
  EXPECT_NE(
      text.find(
          R"("port":{"description":"Port to listen on.","type":["integer","string"],"minimum":1,"maximum":65535})"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("\"additionalProperties\":false"), std::string::npos);
  EXPECT_NE(text.find("\"password_file\":"), std::string::npos);
}

}  // namespace
}  // namespace honryu::config
