#pragma once

#include "honryu/api/search/search_api.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"
#include "honryu/codec/uri.h"
#include "honryu/processors/indexer/indexer.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

namespace honryu::api::search {

using codec::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::int64_t kNow = 1'795'219'200'000;  // 2026-11-21T00:00:00Z

struct Reply {
  int status = 0;
  std::string body;
  http::Headers headers;
  Json json;
  /// "a.b.0": by members and places.
  const Json& At(std::string_view path) const {
    static const Json nothing;
    const Json* at = &json;
    while (!path.empty()) {
      const auto dot = path.find('.');
      const std::string step(path.substr(0, dot));
      path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
      if (at->is_array()) {
        const auto place = static_cast<std::size_t>(std::strtoul(step.c_str(), nullptr, 10));
        if (place >= at->array().size()) return nothing;
        at = &at->array()[place];
      } else {
        at = at->Find(step);
        if (at == nullptr) return nothing;
      }
    }
    return *at;
  }
  std::int64_t Number(std::string_view path) const { return At(path).IntOr(-1); }
  std::string Text(std::string_view path) const { return std::string(At(path).StringOr("(none)")); }
};

class SearchApiTest : public ::testing::Test {
 protected:
  SearchApiTest() {
    char name[] = "/tmp/honryu-search-XXXXXX";
    path_ = ::mkdtemp(name);
    Open();
  }
  ~SearchApiTest() override {
    Close();
    std::filesystem::remove_all(path_);
  }
  void Open() {
    honryu::search::StoreConfig store;
    store.path = path_;
    store.refresh_interval = milliseconds(2);
    store_ = honryu::search::Store::Open(store, clock_).value();
    processors::indexer::IndexerConfig indexer;
    indexer.poll_wait = milliseconds(10);
    indexer.sync_interval = milliseconds(3);
    indexer.refresh_interval = milliseconds(2);
    indexer.streams = {"events"};
    indexer_ = std::make_unique<processors::indexer::Indexer>(indexer, *store_, client_, runtime_,
                                                              runtime_.executor(0), clock_, registry_);
    api_ = std::make_unique<SearchApi>(
        config_, *store_, client_,
        [this](async::Context ctx, std::vector<client::PutPosition> positions, bool now) {
          ++awaited_;
          return indexer_->AwaitVisible(std::move(ctx), "documents", std::move(positions), now);
        },
        runtime_, clock_, registry_);
    runtime_.BlockOn(client_.EnsureStream({}, "documents", {})).value();
    indexer_->Start();
  }
  void Close() {
    runtime_.BlockOn(indexer_->Stop(std::chrono::steady_clock::now() + seconds(20)));
    api_.reset();
    indexer_.reset();
    store_.reset();
  }
  Reply Call(const std::string& method, const std::string& target, const std::string& body = "",
             const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    http::Request request;
    request.method = method;
    request.target = target;
    const auto question = target.find('?');
    request.path = codec::PercentDecode(target.substr(0, question), false).value();
    if (question != std::string::npos) request.query = codec::ParseQuery(target.substr(question + 1)).value();
    request.body = Bytes(body);
    request.request_id = "request";
    for (const auto& [name, value] : headers) request.headers.Add(name, value);
    request.peer_gone = peer_gone_;
    http::Response response =
        runtime_.BlockOn(api_->Handle(async::Context::WithTimeout(seconds(30)), request));
    Reply reply;
    reply.status = response.status;
    reply.body = response.body.view();
    reply.headers = response.headers;
    if (auto parsed = Json::Parse(reply.body); parsed.ok()) reply.json = std::move(*parsed);
    return reply;
  }
  void Bulk(const std::string& body) {
    const Reply reply = Call("POST", "/_bulk?refresh=true", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_FALSE(reply.At("errors").BoolOr(true)) << reply.body;
  }
  /// Documents 1..count of index `logs`: {"n","message","kind","@timestamp"}.
  void Fill(int count) {
    std::string body;
    for (int n = 1; n <= count; ++n) {
      body += R"({"index":{"_index":"logs","_id":")" + std::to_string(n) + "\"}}\n";
      body += R"({"n":)" + std::to_string(n) + R"(,"message":"request )" + std::to_string(n) + " " +
              (n % 2 == 0 ? "failed" : "served") + R"(","kind":")" + (n % 3 == 0 ? "a" : "b") +
              R"(","@timestamp":)" + std::to_string(kNow + n * 1000) + "}\n";
    }
    Bulk(body);
  }

  ManualClock clock_{TimestampFromMs(kNow)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  SearchConfig config_;
  std::function<bool()> peer_gone_;
  std::atomic<int> awaited_{0};  // how often the API waited for writes to be visible
  std::string path_;
  std::unique_ptr<honryu::search::Store> store_;
  std::unique_ptr<processors::indexer::Indexer> indexer_;
  std::unique_ptr<SearchApi> api_;
};

}  // namespace honryu::api::search
