#include "honryu/sqlapp/query.h"

#include "honryu/async/one_shot.h"
#include "honryu/async/task_group.h"
#include "honryu/base/units.h"
#include "honryu/client/aggregation.h"
#include "honryu/sqlapp/feed.h"
#include "honryu/sqlapp/machine.h"
#include "honryu/sqlapp/row_writer.h"
#include "honryu/sqlapp/tables.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace honryu::sqlapp {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(20);
constexpr Duration kPoll = std::chrono::milliseconds(500);
constexpr Duration kLook = std::chrono::milliseconds(100);  // between two cuts, unless much has come
constexpr Duration kList = std::chrono::seconds(1);
constexpr Duration kPause = std::chrono::milliseconds(100);  // after a failed read
constexpr Duration kSilence = std::chrono::seconds(1);       // then a sign of life is written
constexpr int kReadFailures = 50;
constexpr std::size_t kPiece = 256 << 10;  // of an answer

}  // namespace

Result<std::string> ParseFrom(std::string_view text, Timestamp now) {
  const auto wrong = [text] {
    return Error(ErrorCode::kInvalidArgument,
                 "from: expected trim_horizon, latest, a time (2026-11-21T10:00:00Z), a span back (-15m) or "
                 "savepoint:NAME, found \"" +
                     std::string(text.substr(0, 100)) + "\"");
  };
  if (text.empty() || text == "trim_horizon" || text == "earliest" || text == "TRIM_HORIZON")
    return std::string("trim_horizon");
  if (text == "latest" || text == "LATEST") return std::string("latest");
  if (text.starts_with("savepoint:") && text.size() > 10) return std::string(text);
  if (text.starts_with("at:")) {
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(text.data() + 3, text.data() + text.size(), ms);
    if (error != std::errc() || end != text.data() + text.size() || ms < 0) return wrong();
    return std::string(text);
  }
  if (text.starts_with("-")) {
    const Result<Duration> span = ParseDuration(text.substr(1));
    if (!span.ok()) return wrong();
    return "at:" + std::to_string(std::max<std::int64_t>(0, ToMs(now) - ToMs(*span)));
  }
  const Result<Timestamp> time = ParseTimestamp(text);
  if (!time.ok()) return wrong();
  return "at:" + std::to_string(std::max<std::int64_t>(0, ToMs(*time)));
}

struct Query::Impl {
  Impl(QueryOptions what, client::StreamClient& stream_client, async::Runtime& threads, const Clock& source)
      : options(std::move(what)), client(stream_client), runtime(threads), clock(source) {}

  /// What the blocking pool works on, which may outlast a cancelled call.
  struct WorkSet {
    Program program;
    std::string lines;
    std::uint64_t rows = 0;
    bool several = false;
    std::unique_ptr<Machine> machine;
  };

  async::Task<void> ListShards(async::Executor executor, std::uint32_t stream);
  async::Task<void> ReadShard(std::uint32_t stream, client::ShardDescription shard);
  async::Task<Result<void>> LoadTables();
  async::Task<Result<void>> Cuts(const Writer& write);
  async::Task<Result<void>> Write(const Writer& write);
  void Fail(Error error) {
    if (!failed.has_value()) failed = std::move(error);
  }
  std::int64_t NowMs() const { return ToMs(clock.Now()); }

  const QueryOptions options;
  client::StreamClient& client;
  async::Runtime& runtime;
  const Clock& clock;
  std::shared_ptr<WorkSet> work = std::make_shared<WorkSet>();
  std::vector<std::string> streams;
  std::optional<Feed> feed;
  client::StartPosition begin;
  std::vector<std::set<std::string>> begun, ended;  ///< Shards, per stream.
  std::size_t listed = 0;                           ///< Streams whose shards are known.
  std::uint64_t written = 0;
  MonoTime last_written;
  std::optional<Error> failed;
  async::TaskGroup readers;
};

Query::Query(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Query::~Query() = default;

Result<std::unique_ptr<Query>> Query::Prepare(QueryOptions options, client::StreamClient& client,
                                              async::Runtime& runtime, const Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(options), client, runtime, clock);
  sql::TableFunctionRegistry functions;
  sql::AddBuiltInTableFunctions(functions);
  Impl::WorkSet* const set = impl->work.get();
  HONRYU_TRY(set->program, LoadProgram("query", impl->options.sql, functions));
  if (!set->program.tables.empty() && !impl->options.files)
    return Error(ErrorCode::kFailedPrecondition,
                 "reference tables read files of the server: that takes a key with the scope \"admin\"");
  std::size_t results = 0;
  for (const auto& [name, output] : set->program.outputs)
    if (name != "ERROR_STREAM" && name != "LATE_ROWS" && !output.stream.empty()) ++results;
  if (results == 0) return Error(ErrorCode::kInvalidArgument, "nothing is asked: expected a SELECT");
  set->several = results > 1;
  sql::EngineOptions engine;
  engine.start_ms = impl->NowMs();
  engine.idle_timeout_ms = ToMs(impl->options.idle_timeout);
  engine.max_groups = impl->options.max_groups;
  engine.max_state_bytes = impl->options.max_state.bytes;
  engine.functions = functions;
  HONRYU_TRY(set->machine,
             Machine::Create(
                 set->program, engine,
                 [set](const sql::OutputRow& row, std::uint64_t, std::uint64_t) {
                   if (set->program.OutputOf(row.stream) == nullptr) return;
                   const bool own = row.stream != "ERROR_STREAM" && row.stream != "LATE_ROWS";
                   set->lines += RowForReading(row, set->several || !own);
                   set->lines += '\n';
                   ++set->rows;
                 },
                 [threads = &runtime](std::size_t count, const std::function<void(std::size_t)>& lane) {
                   threads->Fork(count, lane);
                 }));
  impl->streams = set->program.InputStreams();
  impl->begun.resize(impl->streams.size());
  impl->ended.resize(impl->streams.size());
  Feed::Config bounds;
  bounds.patience_ms = 5000;
  bounds.lanes = set->machine->HasFirstPhase() ? impl->options.lanes : 1;
  impl->feed.emplace(bounds);
  if (impl->options.from == "latest") {
    impl->begin = client::FromTimestamp{clock.Now()};  // also for shards that are found later
  } else if (impl->options.from.starts_with("at:")) {
    std::int64_t ms = 0;
    const std::string& from = impl->options.from;
    std::from_chars(from.data() + 3, from.data() + from.size(), ms);
    impl->begin = client::FromTimestamp{TimestampFromMs(ms)};
  } else if (impl->options.from == "trim_horizon") {
    impl->begin = client::FromTrimHorizon{};
  } else {
    return Error(ErrorCode::kInvalidArgument, "from: a query begins at a time, not at a savepoint");
  }
  return std::unique_ptr<Query>(new Query(std::move(impl)));
}

// Shards are read once their parents were read to their end.
async::Task<void> Query::Impl::ListShards(async::Executor executor, std::uint32_t stream) {
  for (bool first = true;; first = false) {
    Result<std::vector<client::ShardDescription>> shards =
        co_await client.ListShards(async::Context::WithTimeout(kCallTimeout), streams[stream]);
    if (!shards.ok() && (first || !shards.error().retryable())) {
      Fail(shards.error().WithContext("stream " + streams[stream]));
      co_return;
    }
    if (shards.ok()) {
      feed->OnShards(stream, *shards);
      if (first) ++listed;
      std::set<std::string> known;
      for (const client::ShardDescription& shard : *shards) known.insert(shard.shard_id);
      for (const client::ShardDescription& shard : *shards) {
        const auto done = [&](const std::string& parent) {
          return parent.empty() || !known.contains(parent) || ended[stream].contains(parent);
        };
        if (!done(shard.parent_id) || !done(shard.adjacent_parent_id)) continue;
        if (!begun[stream].insert(shard.shard_id).second) continue;
        readers.Spawn(executor, "read " + shard.shard_id, ReadShard(stream, shard));
      }
    }
    Result<void> slept = co_await async::SleepFor(kList);
    if (!slept.ok()) co_return;
  }
}

async::Task<void> Query::Impl::ReadShard(std::uint32_t stream, client::ShardDescription shard) {
  const std::string id = shard.shard_id;
  feed->OnStart(stream, id, NowMs());
  client::ReadRequest request;
  request.stream = streams[stream];
  request.shard_id = id;
  request.from = begin;
  request.wait = kPoll;
  int failures = 0;
  bool at_end = false;
  for (;;) {
    if (at_end) {  // what came after the end was reached is no part of the answer
      feed->OnEmpty(stream, id, NowMs());
      Result<void> slept = co_await async::SleepFor(kPoll);
      if (!slept.ok()) co_return;
      continue;
    }
    Result<client::ReadBatch> batch =
        co_await client.Read(async::Context::WithTimeout(kCallTimeout), request);
    if (!batch.ok()) {
      if (batch.error().code() == ErrorCode::kCancelled) co_return;
      if (!batch.error().retryable() || ++failures > kReadFailures) {
        Fail(batch.error().WithContext("shard " + id + " of stream " + streams[stream]));
        co_return;
      }
      Result<void> slept = co_await async::SleepFor(kPause);
      if (!slept.ok()) co_return;
      continue;
    }
    failures = 0;
    at_end = options.to_end && batch->behind_latest == Duration::zero() && !batch->next.empty();
    while (feed->Full(stream, id)) {
      Result<void> slept = co_await async::SleepFor(std::chrono::milliseconds(2));
      if (!slept.ok()) co_return;
    }
    if (batch->records.empty()) {
      feed->OnEmpty(stream, id, NowMs());
    } else {
      const std::vector<client::StreamRecord> records =
          client::OpenAggregates(std::move(batch->records), shard);
      feed->OnRecords(stream, id, records, batch->behind_latest == Duration::zero(), NowMs());
    }
    if (batch->next.empty()) {
      feed->OnEnd(stream, id);
      ended[stream].insert(id);
      co_return;
    }
    request.from = client::FromCursor{batch->next};
    co_await async::Yield();
  }
}

async::Task<Result<void>> Query::Impl::LoadTables() {
  const std::shared_ptr<WorkSet> set = work;
  Result<void> loaded = co_await runtime.Blocking([set]() -> Result<void> {
    for (const Table& table : set->program.tables) {
      HONRYU_TRY(const sql::Columns columns, set->machine->TableColumns(table.name));
      HONRYU_TRY(auto rows, LoadTable(table, columns));
      HONRYU_TRY_VOID(set->machine->SetTable(table.name, std::move(rows)));
    }
    return Ok();
  });
  co_return loaded;
}

async::Task<Result<void>> Query::Impl::Write(const Writer& write) {
  std::string lines = std::exchange(work->lines, {});
  const std::uint64_t rows = std::exchange(work->rows, 0);
  const MonoTime now = std::chrono::steady_clock::now();
  if (options.limit > 0 && written + rows > options.limit) {
    std::size_t end = 0;
    for (std::uint64_t left = options.limit - written; left > 0; --left) end = lines.find('\n', end) + 1;
    lines.resize(end);
  }
  written += rows;
  if (lines.empty()) {
    if (now - last_written < kSilence) co_return Ok();
    lines = "\n";
  }
  last_written = now;
  for (std::size_t at = 0; at < lines.size();) {
    std::size_t end = lines.size();
    if (end - at > kPiece) end = lines.find('\n', at + kPiece) + 1;
    Result<void> done = co_await write(lines.substr(at, end - at));
    if (!done.ok()) co_return done;
    at = end;
  }
  co_return Ok();
}

async::Task<Result<void>> Query::Impl::Cuts(const Writer& write) {
  const std::shared_ptr<WorkSet> set = work;
  last_written = std::chrono::steady_clock::now();
  for (;;) {
    if (failed.has_value()) co_return *failed;
    CutRecords records;
    std::optional<Cut> cut = feed->Next(NowMs(), records);
    const bool moved = cut.has_value();
    if (cut.has_value()) {
      Result<void> applied = co_await runtime.Blocking(
          [set, made = std::move(*cut), records = std::move(records)]() -> Result<void> {
            set->machine->Apply(made, records);
            return Ok();
          });
      if (!applied.ok()) co_return applied;
    }
    const bool at_end = options.to_end && listed == streams.size() && feed->caught_up();
    if (at_end) {
      Result<void> finished = co_await runtime.Blocking([set]() -> Result<void> {
        set->machine->Finish();
        return Ok();
      });
      if (!finished.ok()) co_return finished;
    }
    Result<void> done = co_await Write(write);
    if (!done.ok() || at_end || (options.limit > 0 && written >= options.limit)) co_return done;
    if (moved && feed->pressing()) continue;
    Result<void> slept = co_await async::SleepFor(kLook);
    if (!slept.ok()) co_return slept;
  }
}

async::Task<Result<void>> Query::Run(Writer write) {
  const async::Executor executor = co_await async::CurrentExecutor();
  Result<void> done = co_await impl_->LoadTables();
  if (done.ok()) {
    for (std::uint32_t i = 0; i < impl_->streams.size(); ++i)
      impl_->readers.Spawn(executor, "shards of " + impl_->streams[i], impl_->ListShards(executor, i));
    done = co_await impl_->Cuts(write);
  }
  impl_->readers.Cancel();
  for (;;) {
    Result<void> joined = co_await impl_->readers.Join();
    if (joined.ok() || impl_->readers.running() == 0) break;
    co_await async::ClearCancellation();  // we are being cancelled ourselves
  }
  co_return done;
}

}  // namespace honryu::sqlapp
