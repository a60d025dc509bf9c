#include "honryu/processors/sql/host.h"

#include "honryu/async/runtime.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

namespace honryu::processors::sql_app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HostTest : public ::testing::Test {
 protected:
  HostTest() : folder_(::testing::TempDir() + "honryu_host_test_" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_ + "/apps");
    config_.apps_dir = folder_ + "/apps";
    config_.emit_interval = milliseconds(5);
    config_.poll_wait = milliseconds(10);
    config_.sync_interval = milliseconds(5);
    runtime_.BlockOn(client_.EnsureStream({}, "events", client::StreamSettings())).value();
  }
  ~HostTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(config_.apps_dir + "/" + name) << text;
  }
  std::unique_ptr<Host> Make() {
    return std::make_unique<Host>(config_, client_, runtime_, runtime_.executor(0), clock_, registry_);
  }
  void Stop(Host& host) { runtime_.BlockOn(host.Stop(std::chrono::steady_clock::now() + seconds(10))); }
  static bool Await(const std::function<bool()>& condition) {
    const MonoTime until = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  static std::size_t Owned(const Host& host) {
    std::size_t owned = 0;
    for (const auto& [name, status] : host.Applications()) owned += status.owner ? 1 : 0;
    return owned;
  }
  static bool Runs(const Host& host, const std::string& wanted) {
    for (const auto& [name, status] : host.Applications())
      if (name == wanted) return status.owner;
    return false;
  }
  async::Context Soon() { return async::Context::WithTimeout(seconds(10)); }

  ManualClock clock_{TimestampFromMs(1790000000000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  SqlConfig config_;
  const std::string folder_;
};

TEST_F(HostTest, RunsWhatFolderAndCatalogueSay) {
  Write("one.sql", "INSERT INTO a SELECT user_id FROM events;");
  Write("two.sql", "INSERT INTO b SELECT user_id FROM events;");
  Write("notes.txt", "nothing");
  config_.spill_path = folder_ + "/spill";
  auto host = Make();
  ASSERT_TRUE(host->Start().ok());
  EXPECT_TRUE(Await([&] { return Owned(*host) == 2; }));
  sqlapp::Catalog catalog(client_, config_.state_stream);
  EXPECT_TRUE(Await([&] { return runtime_.BlockOn(catalog.List(Soon()))->size() == 2; }))
      << "files are listed";
  sqlapp::Deployment three;
  three.name = "three";
  three.sql = "INSERT INTO c SELECT user_id FROM events;";
  EXPECT_TRUE(runtime_.BlockOn(catalog.Apply(Soon(), three)).ok());
  EXPECT_TRUE(Await([&] { return Runs(*host, "three"); }));
  EXPECT_TRUE(runtime_.BlockOn(catalog.SetRunning(Soon(), "one", false)).ok());
  EXPECT_TRUE(Await([&] { return host->Applications().size() == 2; }));
  EXPECT_FALSE(Runs(*host, "one"));
  EXPECT_TRUE(runtime_.BlockOn(catalog.SetRunning(Soon(), "one", true)).ok());
  EXPECT_TRUE(Await([&] { return Runs(*host, "one"); }));
  three.sql = "SELECT nothing FROM nowhere";  // put in past the API, which would have refused it
  EXPECT_TRUE(runtime_.BlockOn(catalog.Apply(Soon(), three)).ok());
  EXPECT_TRUE(Await([&] { return !host->Ready().ok(); }));
  EXPECT_NE(host->Ready().error().message().find("unknown stream 'nowhere'"), std::string::npos);
  EXPECT_TRUE(Runs(*host, "two")) << "the others go on";
  EXPECT_TRUE(runtime_.BlockOn(catalog.Remove(Soon(), "three")).ok());
  EXPECT_TRUE(Await([&] { return host->Ready().ok(); }));
  Stop(*host);
}

TEST_F(HostTest, AMistakeInAFileStopsTheStart) {
  Write("one.sql", "SELECT usr_id FROM events");
  auto host = Make();
  const Result<void> started = host->Start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().message().find("line 1, column 8"), std::string::npos);
  Stop(*host);
  config_.apps_dir = folder_ + "/none";
  auto other = Make();
  EXPECT_EQ(other->Start().error().code(), ErrorCode::kIo);
  Stop(*other);
}

TEST_F(HostTest, WithoutAFolderTheBuiltInKeyFiguresRun) {
  config_.apps_dir.clear();
  auto host = Make();
  ASSERT_TRUE(host->Start().ok());
  EXPECT_TRUE(Await([&] { return Runs(*host, "kpi"); }));
  Stop(*host);
}

}  // namespace
}  // namespace honryu::processors::sql_app
