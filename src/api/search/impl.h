#pragma once

#include "api/search/bulk_body.h"
#include "api/search/contexts.h"
#include "api/search/document_merge.h"
#include "api/search/id_claims.h"
#include "api/search/index_settings.h"
#include "api/search/search_lanes.h"
#include "honryu/api/search/search_api.h"
#include "honryu/async/blocking_calls.h"
#include "honryu/codec/json.h"
#include "honryu/http/origin_list.h"
#include "honryu/search/api_error.h"
#include "honryu/search/readable.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace honryu::api::search {

namespace engine = honryu::search;

/// The search that ends when the peer goes away. Runs on: the handler's executor.
struct PeerWatch {
  std::shared_ptr<std::atomic<bool>> running;  ///< Of CancelFlag; null: none yet.
  bool gone = false;
};

/// A request's deadline and id, and whether anybody still waits for its answer.
struct RequestContext : async::Context {
  RequestContext(async::Context ctx) : async::Context(std::move(ctx)) {}  // NOLINT: it is one
  std::shared_ptr<PeerWatch> peer;  // shared with the task that watches; null: not watched
};

/// What is to become of names that no index has.
struct Missing {
  bool ignore = false;     ///< "ignore_unavailable"
  bool allow_none = true;  ///< "allow_no_indices"
};
inline constexpr Missing kIgnoreMissing{true, true};

/// A request taken apart. Lives as long as its handler.
struct Call {
  const http::Request& request;
  RequestContext ctx;
  std::string method;
  std::vector<std::string> parts;  ///< Of the path, percent-decoded one by one.

  std::string_view Part(std::size_t number) const {
    return number < parts.size() ? std::string_view(parts[number]) : std::string_view();
  }
  /// Query parameter that is given as "", "true" or otherwise.
  bool Flag(std::string_view name) const {
    const std::string* value = request.Query(name);
    return value != nullptr && *value != "false";
  }
  Missing missing() const {
    return {Flag("ignore_unavailable"), Param("allow_no_indices", "true") != "false"};
  }
  std::string_view Param(std::string_view name, std::string_view fallback = {}) const {
    const std::string* value = request.Query(name);
    return value != nullptr ? std::string_view(*value) : fallback;
  }
};

struct Answer {
  int status = 200;
  std::string body;
  bool text = false;  ///< Plain text (of _cat), not JSON.

  static Answer Json(std::string body, int status = 200) { return {status, std::move(body), false}; }
  static Answer Failed(const Error& error, std::string_view index = {});
  static Answer Failed(int status, std::string_view type, std::string_view reason,
                       std::string_view index = {});
};

/// The state of an index, or of all, with this many corrupt segments that are not rebuilt yet.
inline const char* Health(std::uint64_t lost_segments) { return lost_segments > 0 ? "red" : "green"; }

/// What a search answered; its sources may hold numbers that only Readable makes readable.
inline Result<codec::Json> ParseAnswer(std::string_view text) {
  Result<codec::Json> parsed = codec::Json::Parse(text);
  return parsed.ok() ? parsed : codec::Json::Parse(engine::Readable(text));
}

/// A write on its way to the log.
struct Write {
  std::string action;  ///< As the answer names it: index, create, update, delete.
  std::string index, id;
  engine::WriteKind kind = engine::WriteKind::kAppend;
  BytesView source;
  std::optional<UpdateBody> update;        ///< Of an update: what changes.
  Bytes merged;                            ///< Of an update: what `source` points at.
  bool require_alias = false;              ///< The index must be an alias.
  bool show_source = false;                ///< The answer is to hold the document.
  std::optional<std::uint64_t> if_seq_no;  ///< Only if the present document is that of this record.
  // What came of it.
  int status = 0;
  std::string result;
  std::optional<engine::ApiError> error;
  std::uint64_t sequence = 0;
};

/// State of the API and its handlers, a family a file.
struct SearchApi::Impl {
  Impl(SearchConfig settings, engine::Store& search_store, client::StreamClient& stream_client,
       AwaitVisible await, async::Runtime& runtime, const Clock& source, obs::Registry& registry);

  using Task = async::Task<Answer>;
  /// Only what the caller's key allows; else the refusal.
  std::optional<http::Response> TurnAway(const Call& call) const;
  Task Dispatch(const Call& call);
  /// The same, given up when the peer goes away: for what only reads.
  Task DispatchWatched(Call& call);
  Task DispatchGlobal(const Call& call);
  Task DispatchIndex(const Call& call);
  http::Response Finish(const Call& call, Answer answer) const;
  /// With a compressed body where the peer takes one; large ones are packed on the pool.
  async::Task<http::Response> Pack(const Call& call, http::Response response);

  // info.cc: who we are.
  Answer Root(const Call& call) const;
  Answer ClusterHealth(const Call& call) const;
  Answer ClusterSettings(const Call& call);
  Answer ClusterState() const;
  Answer Nodes(const Call& call) const;
  Answer License() const;
  Answer Xpack() const;
  Answer Analyze(const Call& call) const;
  bool AsOpensearch(const http::Request& request) const;

  // read.cc
  Task Search(const Call& call);
  Task Scroll(const Call& call);
  Task ClearScroll(const Call& call);
  Task OpenPit(const Call& call);
  Task ClosePit(const Call& call);
  Task ListPits();
  Task MultiSearch(const Call& call);
  Task Count(const Call& call);
  Task GetDocument(const Call& call);
  Task MultiGet(const Call& call);
  Task ValidateQuery(const Call& call);
  /// One search on the pool; `indices` unresolved.
  async::Task<Result<std::string>> RunSearch(RequestContext ctx, std::string indices, codec::Json body,
                                             Missing missing, bool allow_partial = true);
  async::Task<Result<std::string>> RunOnSnapshot(RequestContext ctx,
                                                 std::shared_ptr<const engine::Snapshot> on, std::string body,
                                                 bool allow_partial = true);
  /// The hit with this id as JSON, or nothing.
  async::Task<Result<std::string>> FindDocument(async::Context ctx, std::string index, std::string id,
                                                std::string source_filter);
  /// Where a request looks, its aliases resolved, and how.
  struct Target {
    std::string names;
    engine::SearchOptions options;
  };
  Target TargetOf(const async::Context& ctx, std::string_view indices, const Missing& missing) const;

  // write.cc
  Task Bulk(const Call& call);
  Task WriteDocument(const Call& call);
  async::Task<Answer> LogOne(const Call& call, std::vector<Write> writes);
  Task DeleteDocument(const Call& call);
  Task Refresh(const Call& call);
  /// Puts the writes into the log and fills in what came of them. An error: nothing is known about any.
  async::Task<Result<void>> Log(async::Context ctx, std::vector<Write>& writes, std::string_view refresh);
  /// Makes everything that was acknowledged here findable.
  async::Task<Result<void>> CatchUp(async::Context ctx);
  async::Task<Result<void>> PutIntoLog(async::Context ctx, std::vector<Write>& writes,
                                       std::vector<client::PutPosition>& positions);
  async::Task<Result<void>> AnswerConflicts(std::vector<Write>& writes);
  Task UpdateDocument(const Call& call);

  // update.cc
  /// Makes the documents of updates from the present ones, and refuses what if_seq_no forbids. The ids are
  /// claimed.
  async::Task<Result<void>> PrepareUpdates(async::Context ctx, std::vector<Write>& writes);
  struct Present {
    std::uint64_t sequence = 0;
    std::string source;
  };
  /// Visible documents of an index by id.
  async::Task<Result<std::map<std::string, Present>>> FindDocuments(async::Context ctx, std::string index,
                                                                    std::vector<std::string> ids);
  std::string NewId();

  // erase.cc
  Task DeleteByQuery(const Call& call);
  /// "log" of a receipt: until when the streams that the shards belong to can still give the records back.
  async::Task<std::string> LogCopies(async::Context ctx, std::vector<std::string> shards, Timestamp at);
  /// Notes an erasure in the log, for other copies of the store.
  async::Task<Result<void>> LogErasure(async::Context ctx, std::string id, std::string record);

  // indices.cc
  Task CreateIndex(const Call& call);
  Task DropIndex(const Call& call);
  /// Drops the indices, and what was acknowledged for them; their aliases go.
  async::Task<Result<void>> DropIndices(async::Context ctx, std::vector<std::string> names);
  /// Drops some inside a turn of `upkeep`, after CatchUp.
  Result<void> DropInTurn(const std::set<std::string>& names);
  Task GetIndex(const Call& call);
  Task GetMapping(const Call& call);
  Task GetFieldMapping(const Call& call);
  Task PutMapping(const Call& call);
  Task FieldCaps(const Call& call);
  Task GetSettings(const Call& call);
  Task PutSettings(const Call& call);
  Task Aliases(const Call& call);
  Task GetAlias(const Call& call);
  Task ChangeAlias(const Call& call);
  Task Rollover(const Call& call);
  Task Template(const Call& call, std::string_view kind, std::string_view list);
  Task Policy(const Call& call);
  Task Resolve(const Call& call);
  Task DataStream(const Call& call);
  void WriteSettings(const std::string& index, codec::JsonWriter& out) const;

  // cat.cc
  /// _cat/count of what an alias with a filter shows.
  Task CatCount(const Call& call);
  Answer Cat(const Call& call) const;
  Task Stats(const Call& call);

  /// Names of existing indices for the path's list, aliases resolved.
  Result<std::vector<std::string>> Names(std::string_view indices, Missing missing) const;
  /// The same of a list that is resolved already.
  Result<std::vector<std::string>> NamesAmong(std::string_view resolved, Missing missing) const;
  /// The same, of those that are there.
  std::vector<std::string> NamesOrNone(std::string_view indices) const;
  /// Gives new indices the aliases of their templates.
  void Settle();
  /// Tells the store how long to keep each index, after anything changed that says so.
  void ApplyRetention();

  const SearchConfig config;
  engine::Store& store;
  client::StreamClient& client;
  const AwaitVisible await_visible;
  const Clock& clock;
  const keys::ApiKeys api_keys;
  const http::OriginList origins;
  const std::string cluster_uuid;
  IndexSettings settings;
  SearchContexts contexts;
  std::map<std::string, obs::Counter, std::less<>> requests;
  std::map<std::string, obs::Histogram, std::less<>> seconds;
  obs::Counter documents, rejected;
  obs::Gauge running;

  std::mutex fresh_mutex;
  std::vector<std::string> fresh;  // new indices whose aliases are not made yet
  std::atomic<bool> has_fresh{false};

  std::mutex unseen_mutex;
  std::map<std::string, client::PutPosition> unseen;  // newest write of each shard, until it is known visible
  struct Recent {
    MonoTime until;
    bool there = false;  // written, not deleted
  };
  /// How long it is remembered whether an id was written or deleted last: until well after that must have
  /// become visible.
  static constexpr Duration kRecentFor = std::chrono::seconds(30);
  std::unordered_map<std::string, Recent> recent;  // ids written lately: not in the store yet, perhaps
  std::size_t recent_limit = 1000;                 // when to look for what has expired
  IdClaims claims;

  std::atomic<std::uint64_t> id_counter;
  SearchLanes searches;
  async::BlockingCalls upkeep;
};

/// Ends a search when its coroutine goes, or the peer: the flag outlives both.
class CancelFlag {
 public:
  explicit CancelFlag(const RequestContext& ctx)
      : flag_(std::make_shared<std::atomic<bool>>(ctx.peer != nullptr && ctx.peer->gone)) {
    if (ctx.peer != nullptr) ctx.peer->running = flag_;
  }
  ~CancelFlag() { flag_->store(true); }
  CancelFlag(const CancelFlag&) = delete;
  CancelFlag& operator=(const CancelFlag&) = delete;
  const std::shared_ptr<std::atomic<bool>>& flag() const { return flag_; }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;  // shared with the call on the pool
};

/// Whether the body of an _aliases request drops indices.
bool RemovesIndex(const codec::Json& body);

/// {"acknowledged":true}
Answer Acknowledged();

}  // namespace honryu::api::search
