#include "app/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace honryu::app {
namespace {

using ::testing::HasSubstr;

/// "" when the settings are good, else what is said about them.
std::string Fault(const std::vector<std::string>& overrides) {
  const Result<Settings> settings = LoadSettings("", overrides);
  return settings.ok() ? "" : settings.error().message();
}

TEST(Settings, TheBoundsThatArePrintedAreTheBoundsThatHold) {
  const std::vector<std::string> wide = {"http.max_body=1GiB", "http.max_decompressed_body=1GiB",
                                         "runtime.request_memory=2GiB"};
  for (const char* good :
       {"gateway.max_body=1KiB", "gateway.max_body=64MiB", "gateway.max_events=1",
        "gateway.max_events=100000", "gateway.dedup_window=0s", "gateway.dedup_window=24h",
        "gateway.dedup_max_entries=1000", "gateway.dedup_max_entries=1000000000", "gateway.put_timeout=10ms",
        "gateway.put_timeout=1h", "gateway.retention_hours=24", "gateway.retention_hours=8760",
        "gateway.shards=10000", "aggregator.max_groups=1"}) {
    std::vector<std::string> overrides = wide;
    overrides.emplace_back(good);
    EXPECT_EQ(Fault(overrides), "") << good;
  }
  for (const char* bad :
       {"gateway.max_body=65MiB", "gateway.max_events=100001", "gateway.dedup_window=25h",
        "gateway.put_timeout=2h", "gateway.dedup_max_entries=999", "aggregator.max_groups=0"}) {
    std::vector<std::string> overrides = wide;
    overrides.emplace_back(bad);
    const std::string key = std::string(bad).substr(0, std::string(bad).find('='));
    EXPECT_THAT(Fault(overrides), HasSubstr(key)) << bad;
  }
}

TEST(Settings, ARequestThatWouldNeverFitIntoMemoryIsAFault) {
  EXPECT_EQ(Fault({"runtime.request_memory=96MiB"}), "");
  EXPECT_THAT(Fault({"runtime.request_memory=95MiB"}), HasSubstr("request_memory"));
  EXPECT_THAT(Fault({"kinesis.max_body=256MiB"}), HasSubstr("kinesis.max_body"));
}

TEST(Settings, ABodyThatTheListenerWouldRefuseIsAFault) {
  EXPECT_THAT(Fault({"gateway.max_body=32MiB"}),
              HasSubstr("gateway.max_body: 32MiB is more than http.max_body (16MiB) lets in"));
  EXPECT_THAT(Fault({"gateway.max_body=32MiB", "http.max_body=32MiB"}),
              HasSubstr("http.max_decompressed_body"));
  EXPECT_EQ(Fault({"gateway.max_body=32MiB", "http.max_body=32MiB", "http.max_decompressed_body=32MiB"}), "");
}

TEST(Settings, ApiKeysHoldForIngestAndQueries) {
  const std::vector<std::string> key = {"gateway.api_keys.0.name=board",
                                        "gateway.api_keys.0.key=secret-of-board"};
  std::vector<std::string> overrides = key;
  overrides.emplace_back("gateway.api_keys.0.scopes=read");
  const Result<Settings> settings = LoadSettings("", overrides);
  ASSERT_TRUE(settings.ok()) << settings.error().message();
  ASSERT_EQ(settings->query.api_keys.size(), 1u);
  EXPECT_EQ(settings->query.api_keys[0].scopes, std::vector<std::string>{"read"});
  overrides.back() = "gateway.api_keys.0.scopes=raed";
  const std::string fault = Fault(overrides);
  EXPECT_THAT(fault, HasSubstr("scopes"));
  EXPECT_THAT(fault, HasSubstr("admin"));
}

}  // namespace
}  // namespace honryu::app
