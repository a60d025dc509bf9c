#pragma once

#include "honryu/api/keys/api_keys.h"
#include "honryu/async/runtime.h"
#include "honryu/base/units.h"
#include "honryu/client/stream_client.h"
#include "honryu/http/message.h"
#include "honryu/obs/metrics.h"
#include "honryu/search/store.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace honryu::api::search {

struct SearchConfig {
  /// What GET / says we are. Clients disagree about what they accept (docs/search-api.md).
  enum class Product : std::uint8_t { kElasticsearch, kOpensearch };
  Product product = Product::kElasticsearch;
  /// Clients that insist on OpenSearch (Grafana's data source, Logstash's output), known by their User-Agent,
  /// are told OpenSearch whatever `product` says.
  bool product_by_client = true;
  std::string elasticsearch_version = "7.17.14";
  std::string opensearch_version = "2.11.0";
  std::string cluster_name = "honryu";
  std::string node_name = "honryu";

  std::string document_stream = "documents";  ///< Where writes go; empty: writing is refused.
  std::string erasure_stream = "erasures";    ///< Where erasures are noted for other copies; empty: nowhere.
  ByteSize max_document = ByteSize::MiB(1);   ///< Of one record of that stream, envelope included.
  ByteSize max_body = ByteSize::MiB(32);      ///< What the listener takes: clients ask _nodes for it.
  std::uint32_t max_bulk_items = 50'000;      ///< Of one request.
  Duration put_timeout = std::chrono::seconds(10);
  Duration visible_timeout = std::chrono::seconds(30);  ///< Of refresh=wait_for and _refresh.

  Duration search_timeout = std::chrono::seconds(30);  ///< Then a search answers what it has found.
  std::size_t search_threads = 2;                      ///< Searches running at a time, on the blocking pool.
  std::size_t max_searches = 64;                       ///< Running or waiting; further ones get 429.
  std::size_t max_searches_of_request = 100;           ///< In one _msearch.
  std::size_t max_contexts = 500;                      ///< Open scrolls and points in time.
  Duration max_keep_alive = std::chrono::hours(24);

  std::vector<keys::ApiKey> api_keys;     ///< Empty: everybody may do everything.
  std::vector<std::string> cors_origins;  ///< Web origins that may call (http::OriginList).

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Waits until records at these positions of the stream of documents are found by searches; `now` asks for a
/// refresh at once (see processors::indexer::Indexer::AwaitVisible).
using AwaitVisible = std::function<async::Task<Result<void>>(
    async::Context ctx, std::vector<client::PutPosition> positions, bool now)>;

/// Answers the API. Thread-safe: handlers run on the connections' event loops, the store on the blocking
/// pool.
class SearchApi {
 public:
  /// References must outlive it; `config` must be valid. Becomes the giver of the store's new indices'
  /// mappings (Store::SetNewIndex), so it must be made before anything is added.
  SearchApi(SearchConfig config, honryu::search::Store& store, client::StreamClient& client,
            AwaitVisible await_visible, async::Runtime& runtime, const Clock& clock, obs::Registry& metrics);
  /// The server must have stopped.
  ~SearchApi();
  SearchApi(const SearchApi&) = delete;
  SearchApi& operator=(const SearchApi&) = delete;

  /// Answers one request, whatever its path and method.
  async::Task<http::Response> Handle(async::Context ctx, const http::Request& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::search
