#include "honryu/processors/indexer/indexer.h"

#include "honryu/async/blocking_calls.h"
#include "honryu/async/task_group.h"
#include "honryu/client/sequence_counter.h"
#include "honryu/consumer/opening.h"
#include "honryu/consumer/sequence.h"
#include "honryu/consumer/worker.h"
#include "honryu/obs/log.h"
#include "honryu/search/logged_document.h"
#include "processors/indexer/erasure_reader.h"
#include "processors/indexer/metrics.h"
#include "processors/indexer/progress.h"
#include "processors/indexer/shard_key.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

namespace honryu::processors::indexer {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(5);
/// Ends of batches this close together are one candidate for a checkpoint.
constexpr Duration kCheckpointStep = std::chrono::milliseconds(200);
/// While the store takes no more: how long until it is asked again.
constexpr Duration kStoreFullPause = std::chrono::milliseconds(50);
constexpr Duration kReadTimeout = std::chrono::seconds(30);
constexpr Duration kUpkeepRetry = std::chrono::seconds(1);
/// The longest that a stream can be kept.
constexpr int kErasureRetentionHours = 8760;
/// How long to wait for the next erasure, with more than one shard: of each.
constexpr Duration kErasureWait = std::chrono::seconds(1);
/// Opened at a time when lost documents are read again.
constexpr std::size_t kRestoreBytes = 16 << 20;

/// A stream and the index that it goes to; empty: records name it themselves.
struct Source {
  std::string stream, index;
};

Source SourceOf(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) return {text, text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

/// Of events whatever may hold some; what the search API wrote is one document each.
consumer::OpeningConfig OpeningOf(const Source& source) {
  return source.index.empty() ? consumer::OpeningConfig() : consumer::OpeningConfig::All();
}

/// What one read gave, kept for as long as the store works on it.
struct Work {
  std::string shard;
  std::vector<client::StreamRecord> records;
};

/// Records from `next` on, opened, about as many as are worth a call of the store. What does not open was set
/// aside when it was read first.
Work OpenSome(std::vector<client::StreamRecord>& records, std::size_t& next, const std::string& name,
              const client::ShardDescription& shard, const consumer::OpeningConfig& opening) {
  Work work;
  work.shard = name;
  for (std::size_t bytes = 0; next < records.size() && bytes < kRestoreBytes; ++next) {
    consumer::OpenedRecords opened = consumer::OpenRecord(std::move(records[next]), shard, opening);
    for (client::StreamRecord& one : opened.records) {
      bytes += one.data.size();
      work.records.push_back(std::move(one));
    }
  }
  return work;
}

struct Outcome {
  search::AddResult result;
  std::uint64_t malformed = 0, bytes = 0;
};

/// Documents of records. `logged` keeps what views of the batch point at.
search::StoreBatch Documents(const Work& work, const Source& source, const std::string& id_field,
                             std::deque<search::LoggedDocument>& logged, Outcome& outcome) {
  search::StoreBatch batch;
  batch.shard = work.shard;
  batch.documents.reserve(work.records.size());
  for (const client::StreamRecord& record : work.records) {
    search::StoreDocument document;
    document.sequence = client::SequenceCounter(record.sequence);
    document.part = record.sub_sequence;
    document.arrival_ms = ToMs(record.arrival);
    outcome.bytes += record.data.size();
    if (source.index.empty()) {
      Result<search::LoggedDocument> decoded = search::DecodeLoggedDocument(record.data.view());
      if (!decoded.ok()) {
        ++outcome.malformed;
        LOG_LIMITED(warn, "record is no document", {"shard", work.shard}, {"error", decoded.error()});
        continue;
      }
      const search::LoggedDocument& kept = logged.emplace_back(std::move(*decoded));
      document.index = kept.index;
      document.id = kept.id;
      document.kind = kept.kind;
      document.source = kept.source;
    } else {
      document.index = source.index;
      document.id_field = id_field;
      document.kind = id_field.empty() ? search::WriteKind::kAppend : search::WriteKind::kCreate;
      document.source = record.data.view();
    }
    batch.documents.push_back(document);
  }
  batch.through = client::SequenceCounter(work.records.back().sequence);
  return batch;
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Result<void> IndexerConfig::Validate() const {
  const auto wrong = [](std::string message) {
    return Error(ErrorCode::kInvalidArgument, "indexer: " + std::move(message));
  };
  if (instance.empty() || instance.size() > 64 || instance.find('/') != std::string::npos)
    return wrong("instance must have 1 to 64 characters and no '/'");
  std::vector<std::string> seen;
  for (const std::string& text : streams) {
    const Source source = SourceOf(text);
    if (source.stream.empty() || source.index.empty())
      return wrong("streams: expected \"stream\" or \"stream:index\", found \"" + text + "\"");
    if (source.stream == document_stream)
      return wrong("streams: " + source.stream + " is the document_stream");
    if (source.stream == erasure_stream) return wrong("streams: " + source.stream + " is the erasure_stream");
    if (std::find(seen.begin(), seen.end(), source.stream) != seen.end())
      return wrong("streams: " + source.stream + " stands twice");
    seen.push_back(source.stream);
  }
  if (!erasure_stream.empty() && erasure_stream == document_stream)
    return wrong("erasure_stream and document_stream are the same");
  if (streams.empty() && document_stream.empty()) return wrong("there is nothing to read");
  if (refresh_interval <= Duration::zero()) return wrong("refresh_interval must be above zero");
  if (document_shards < 1) return wrong("document_shards must be 1 or more");
  return Ok();
}

struct Indexer::Impl {
  /// Reads one stream.
  struct Reader final : consumer::Handler {
    Reader(Impl& owner, Source what)
        : impl(owner),
          source(std::move(what)),
          behind(owner.registry.MakeGauge("honryu_indexer_iterator_age_seconds",
                                          "Age of the oldest record not yet read, the worst shard",
                                          {{"stream", source.stream}})),
          worker(WorkerConfigOf(owner.config, source), owner.client, *this, owner.executor, owner.clock,
                 owner.registry, &owner.runtime) {}

    static consumer::WorkerConfig WorkerConfigOf(const IndexerConfig& config, const Source& source) {
      consumer::WorkerConfig worker;
      worker.application = "indexer-" + config.instance;
      worker.stream = source.stream;
      worker.opening = OpeningOf(source);
      worker.dead_letters.enabled = true;
      // The same after a restart, so that it need not wait for its own leases to expire. The store's lock on
      // its folder keeps a second process out.
      worker.worker_id = worker.application;
      worker.lease_duration = config.lease_duration;
      worker.sync_interval = config.sync_interval;
      worker.poll_wait = config.poll_wait;
      return worker;
    }

    /// The end of one or more batches: a place for a checkpoint once the store has it on disk.
    struct Mark {
      std::uint64_t counter = 0;
      SequenceNumber sequence;
      MonoTime made;
    };
    struct Fresh {  // indexed, not visible
      std::uint64_t counter = 0;
      Timestamp arrived;
    };
    struct Shard {
      std::shared_ptr<consumer::Checkpointer> checkpointer;  // shared with the worker: a save may outlive it
      std::string key;  ///< Its name in the store; empty until its first record.
      std::deque<Mark> marks;
      std::deque<Fresh> fresh;
      Duration behind = Duration::zero();
      bool ended = false;
    };

    async::Task<Result<client::StartPosition>> OnShardStart(consumer::ShardStart start) override {
      Shard& shard = shards[start.shard.shard_id];
      shard = Shard();
      shard.checkpointer = start.checkpointer;
      client::StartPosition place = client::FromTrimHorizon{};
      if (!start.checkpoint.has_value()) co_return place;
      // The checkpoint counts only as far as the store has that shard's records: a store that was deleted or
      // put back is filled from the beginning of the log, and knows itself what it has.
      const std::string key = KeyOf(start.shard.shard_id, *start.checkpoint);
      search::Store* const into = &impl.store;
      Result<std::uint64_t> position = co_await impl.upkeep.Run(
          [into, key]() -> Result<std::uint64_t> { return into->Position(key).value_or(0); });
      if (!position.ok()) co_return position.error();
      if (*position >= client::SequenceCounter(*start.checkpoint))
        place = client::AfterSequence{*start.checkpoint};
      co_return place;
    }

    std::string KeyOf(const std::string& shard_id, const SequenceNumber& sequence) const {
      return ShardKey{source.stream, shard_id, consumer::ShardCreation(sequence)}.Text();
    }

    async::Task<Result<void>> OnBatch(const consumer::Batch& batch) override {
      // Shared with the call on the pool, which goes on when this coroutine is cancelled.
      auto work = std::make_shared<Work>();
      const SequenceNumber last = batch.records.back().sequence;
      work->shard = KeyOf(batch.shard_id, last);
      work->records = batch.records;
      const std::shared_ptr<consumer::Checkpointer> checkpointer = shards.at(batch.shard_id).checkpointer;
      const MonoTime begun = std::chrono::steady_clock::now();
      for (;;) {
        search::Store* const into = &impl.store;
        const Source* const from = &source;
        const std::string* const id_field = &impl.config.id_field;
        Result<Outcome> added =
            co_await impl.adds.RunInTurn([into, from, id_field, work]() -> Result<Outcome> {
              Outcome outcome;
              std::deque<search::LoggedDocument> logged;
              const search::StoreBatch documents = Documents(*work, *from, *id_field, logged, outcome);
              HONRYU_TRY(outcome.result, into->Add(documents));
              return outcome;
            });
        if (added.ok()) {
          impl.metrics.add_seconds.Observe(Seconds(std::chrono::steady_clock::now() - begun));
          Count(*added, work->shard);
          break;
        }
        if (added.error().code() != ErrorCode::kOverloaded) {
          impl.metrics.errors.Add();
          co_return added.error();
        }
        impl.metrics.full.Add();
        Result<void> slept = co_await async::SleepFor(kStoreFullPause);
        if (!slept.ok()) co_return slept.error();
        if (checkpointer->ending()) co_return Error(ErrorCode::kCancelled, "the shard is given back");
      }
      const auto found = shards.find(batch.shard_id);
      if (found == shards.end()) co_return Ok();
      Remember(found->second, work->shard, batch);
      impl.progress.Indexed(work->shard, client::SequenceCounter(last));
      co_return Ok();
    }

    void Count(const Outcome& outcome, const std::string& shard) {
      Metrics& counters = impl.metrics;
      counters.documents.Add(static_cast<double>(outcome.result.added));
      counters.duplicates.Add(static_cast<double>(outcome.result.duplicates));
      counters.bytes.Add(static_cast<double>(outcome.bytes));
      if (outcome.malformed > 0)
        counters.rejected.at("malformed").Add(static_cast<double>(outcome.malformed));
      if (outcome.result.refused.empty()) return;
      counters.rejected.at("refused").Add(static_cast<double>(outcome.result.refused.size()));
      LOG_LIMITED(warn, "records that cannot be indexed", {"shard", shard},
                  {"count", outcome.result.refused.size()}, {"error", outcome.result.refused[0].error});
    }

    static void Remember(Shard& shard, const std::string& key, const consumer::Batch& batch) {
      const MonoTime now = std::chrono::steady_clock::now();
      const SequenceNumber last = batch.records.back().sequence;
      shard.key = key;
      shard.behind = batch.behind_latest;
      shard.fresh.push_back({client::SequenceCounter(last), batch.records.front().arrival});
      if (shard.marks.empty() || now - shard.marks.back().made >= kCheckpointStep)
        shard.marks.push_back({client::SequenceCounter(last), last, now});
      else
        shard.marks.back() = {client::SequenceCounter(last), last, shard.marks.back().made};
    }

    async::Task<Result<void>> OnIdle(const std::string& shard_id) override {
      const auto found = shards.find(shard_id);
      if (found != shards.end()) found->second.behind = Duration::zero();
      co_return Ok();
    }

    async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override {
      shards.at(shard_id).ended = true;
      Result<void> finished = co_await FinishIfDurable(shard_id);
      co_return finished;
    }

    async::Task<Result<void>> FinishIfDurable(std::string shard_id) {
      const auto found = shards.find(shard_id);
      if (found == shards.end() || !found->second.ended || !found->second.marks.empty()) co_return Ok();
      const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second.checkpointer;
      Result<void> finished = co_await checkpointer->Finish(async::Context::WithTimeout(kCallTimeout));
      co_return finished;
    }

    async::Task<void> OnShardStop(const std::string& shard_id) override {
      search::Store* const into = &impl.store;
      Result<void> flushed = co_await impl.upkeep.Run([into] { return into->Flush(); });
      if (!flushed.ok()) {
        LOG(warn, "the search store could not be flushed", {"error", flushed.error()});
        co_return;
      }
      co_await Checkpoint(shard_id);
    }

    void OnShardLost(const std::string& shard_id) override { shards.erase(shard_id); }

    /// Saves how far the store has the shard on disk.
    async::Task<void> Checkpoint(std::string shard_id) {
      const auto found = shards.find(shard_id);
      if (found == shards.end() || found->second.marks.empty()) co_return;
      search::Store* const into = &impl.store;
      Result<std::uint64_t> durable =
          co_await impl.upkeep.Run([into, key = found->second.key]() -> Result<std::uint64_t> {
            return into->Position(key).value_or(0);
          });
      const auto still = shards.find(shard_id);
      if (!durable.ok() || still == shards.end()) co_return;
      std::optional<SequenceNumber> reached;
      std::deque<Mark>& marks = still->second.marks;
      while (!marks.empty() && marks.front().counter <= *durable) {
        reached = marks.front().sequence;
        marks.pop_front();
      }
      if (!reached.has_value()) co_return;
      const std::shared_ptr<consumer::Checkpointer> checkpointer = still->second.checkpointer;
      Result<void> saved =
          co_await checkpointer->Save(async::Context::WithTimeout(kCallTimeout), reached, "");
      // The next one covers it.
      if (!saved.ok())
        LOG_LIMITED(debug, "checkpoint not saved", {"shard", shard_id}, {"error", saved.error()});
      Result<void> finished = co_await FinishIfDurable(shard_id);
      if (!finished.ok())
        LOG_LIMITED(debug, "shard not finished", {"shard", shard_id}, {"error", finished.error()});
    }

    async::Task<void> CheckpointAll() {
      std::vector<std::string> ids;
      for (const auto& [id, shard] : shards) ids.push_back(id);
      for (const std::string& id : ids) co_await Checkpoint(id);
    }

    /// Everything up to `positions` is visible: measures how long that took. Returns the arrival of the
    /// oldest record that is not.
    std::optional<Timestamp> BecameVisible(const Progress::Positions& positions, Timestamp now) {
      std::optional<Timestamp> oldest;
      Duration worst = Duration::zero();
      for (auto& [id, shard] : shards) {
        const auto reached = positions.find(shard.key);
        while (!shard.fresh.empty() && reached != positions.end() &&
               shard.fresh.front().counter <= reached->second) {
          impl.metrics.visible_seconds.Observe(
              Seconds(std::max(Duration(0), Duration(now - shard.fresh.front().arrived))));
          shard.fresh.pop_front();
        }
        if (!shard.fresh.empty()) oldest = std::min(oldest.value_or(now), shard.fresh.front().arrived);
        worst = std::max(worst, shard.behind);
      }
      behind.Set(Seconds(worst));
      return oldest;
    }

    Impl& impl;
    const Source source;
    obs::Gauge behind;
    std::map<std::string, Shard> shards;
    consumer::Worker worker;
  };

  Impl(IndexerConfig settings, search::Store& search_store, client::StreamClient& stream_client,
       async::Runtime& threads, async::Executor home, const Clock& source, obs::Registry& metric_registry)
      : config(std::move(settings)),
        store(search_store),
        client(stream_client),
        runtime(threads),
        executor(std::move(home)),
        clock(source),
        registry(metric_registry),
        metrics(registry),
        adds(threads, "indexer"),
        upkeep(threads, "search store") {
    for (const std::string& text : config.streams)
      readers.push_back(std::make_unique<Reader>(*this, SourceOf(text)));
    if (!config.document_stream.empty())
      readers.push_back(std::make_unique<Reader>(*this, Source{config.document_stream, ""}));
  }

  /// False: this process is stopping.
  async::Task<bool> MakeStream(std::string stream, client::StreamSettings settings) {
    for (;;) {
      Result<void> made = co_await client.EnsureStream(async::Context::WithTimeout(std::chrono::seconds(30)),
                                                       stream, settings);
      if (made.ok()) co_return true;
      if (made.error().code() == ErrorCode::kCancelled) co_return false;
      LOG_LIMITED(warn, "a stream cannot be made", {"stream", stream}, {"error", made.error()});
      Result<void> slept = co_await async::SleepFor(kUpkeepRetry);
      if (!slept.ok()) co_return false;
    }
  }
  async::Task<void> MakeDocumentStream() {
    client::StreamSettings settings;
    settings.shards = config.document_shards;
    settings.retention_hours = config.document_retention_hours;
    const bool made = co_await MakeStream(config.document_stream, settings);
    stream_made = made;
  }

  void StartReaders() {
    for (const auto& reader : readers) reader->worker.Start();
  }

  /// Carries out erasures: first all that were written so far, before any event is read, then each as it
  /// comes.
  async::Task<void> FollowErasures() {
    client::StreamSettings settings;
    settings.shards = 1;
    settings.retention_hours = kErasureRetentionHours;
    const bool made = co_await MakeStream(config.erasure_stream, settings);
    if (!made) co_return;
    ErasureReader erasures(client, store, upkeep, config.erasure_stream);
    bool reading = false;  // events, too
    for (;;) {
      const Duration wait = reading ? kErasureWait : Duration::zero();
      Result<void> read = co_await erasures.Read(wait);
      if (!read.ok() && read.error().code() == ErrorCode::kCancelled) co_return;
      if (!read.ok()) {
        LOG_LIMITED(error, "erasures cannot be read", {"stream", config.erasure_stream},
                    {"error", read.error()});
        Result<void> slept = co_await async::SleepFor(kUpkeepRetry);
        if (!slept.ok()) co_return;
        continue;
      }
      if (!reading && erasures.at_end()) {
        reading = true;
        StartReaders();
      }
    }
  }

  void BecameVisible(const Progress::Positions& positions) {
    progress.Visible(positions);
    const Timestamp now = clock.Now();
    std::optional<Timestamp> oldest;
    for (const auto& reader : readers)
      if (const auto waiting = reader->BecameVisible(positions, now); waiting.has_value())
        oldest = std::min(oldest.value_or(*waiting), *waiting);
    metrics.refresh_lag.Set(oldest ? Seconds(std::max(Duration(0), Duration(now - *oldest))) : 0);
  }

  /// Makes what was indexed visible, also while the upkeep merges.
  async::Task<void> Refreshes() {
    MonoTime last = clock.Mono();
    for (;;) {
      // From beginning to beginning, but for a pause that lets others have the store.
      const Duration least = config.refresh_interval / 5;
      const Duration pause = std::max(least, last + config.refresh_interval - clock.Mono());
      Result<void> slept = co_await async::SleepFor(pause);
      if (!slept.ok()) co_return;
      last = clock.Mono();
      Result<void> refreshed = co_await RefreshNow();
      if (refreshed.ok()) continue;
      if (refreshed.error().code() == ErrorCode::kCancelled) co_return;
      metrics.errors.Add();
      LOG_LIMITED(error, "refresh of the search store failed", {"error", refreshed.error()});
    }
  }

  async::Task<void> Upkeep() {
    search::Store* const maintained = &store;
    struct State {
      Duration next{};
      search::StoreStatistics statistics;
      std::vector<search::IndexStatistics> indices;
      std::vector<search::LostRange> lost;
    };
    for (;;) {
      Result<State> next = co_await upkeep.Run([maintained]() -> Result<State> {
        State state;
        HONRYU_TRY(state.next, maintained->Maintain(false));  // Refreshes() is for the rest
        state.statistics = maintained->Statistics();
        state.indices = maintained->Indices();
        state.lost = maintained->Lost();
        return state;
      });
      Duration pause = kUpkeepRetry;
      if (next.ok()) {
        pause = next->next;
        failing = false;
        Measure(next->statistics, next->indices);
        for (const auto& reader : readers) co_await reader->CheckpointAll();
        co_await RestoreLost(std::move(next->lost));
      } else if (next.error().code() == ErrorCode::kCancelled) {
        co_return;
      } else {
        failing = true;
        metrics.errors.Add();
        LOG_LIMITED(error, "upkeep of the search store failed", {"error", next.error()});
      }
      Result<void> slept = co_await async::SleepFor(pause);
      if (!slept.ok()) co_return;
    }
  }

  void Measure(const search::StoreStatistics& statistics,
               const std::vector<search::IndexStatistics>& indices) {
    metrics.memory.Set(static_cast<double>(statistics.memory_bytes));
    metrics.waiting.Set(static_cast<double>(statistics.waiting));
    metrics.quarantined.Set(static_cast<double>(statistics.quarantined));
    metrics.merged_bytes.Set(static_cast<double>(statistics.merged_bytes));
    metrics.dropped.Set(static_cast<double>(statistics.dropped_segments));
    metrics.ignored.Set(static_cast<double>(statistics.ignored_values));
    metrics.conflicting.Set(static_cast<double>(statistics.conflicting_values));
    metrics.overlong.Set(static_cast<double>(statistics.overlong_values));
    metrics.cut.Set(static_cast<double>(statistics.cut_texts));
    double documents = 0, bytes = 0, lost = 0;
    std::uint64_t most_fields = 0;
    for (const search::IndexStatistics& index : indices) {
      most_fields = std::max(most_fields, index.fields);
      if (!index.left_out.empty() && reported_full.insert(index.name).second)
        LOG(warn,
            "members of events are kept in the source only and cannot be searched: beyond a limit of the "
            "mapping",
            {"index", index.name}, {"fields", index.fields}, {"for_example", index.left_out.front()});
      lost += static_cast<double>(index.lost_segments);
      documents += static_cast<double>(index.documents);
      bytes += static_cast<double>(index.bytes);
    }
    metrics.fields.Set(static_cast<double>(most_fields));
    metrics.lost_segments.Set(lost);
    metrics.stored_documents.Set(documents);
    metrics.stored_bytes.Set(bytes);
    metrics.bytes_per_document.Set(documents > 0 ? bytes / documents : 0);
  }

  /// Reads again from the log what corrupt segments held.
  async::Task<void> RestoreLost(std::vector<search::LostRange> lost) {
    struct Rebuilt {
      bool done = true;   // all of its ranges were read, or cannot be any more
      bool whole = true;  // and nothing was missing
    };
    std::map<std::uint64_t, Rebuilt> segments;
    for (const search::LostRange& range : lost) {
      if (reported_lost.insert(range.segment).second)
        LOG(error, "a search segment is corrupt and was set aside, its events are read again from the log",
            {"segment", range.segment}, {"index", range.index}, {"reason", range.reason});
      Result<void> restored = co_await Restore(range);
      const bool done = restored.ok() || !restored.error().retryable();
      if (!restored.ok())
        LOG_LIMITED(error, "events of a corrupt segment cannot be read again", {"segment", range.segment},
                    {"index", range.index}, {"shard", range.shard}, {"first", range.first},
                    {"last", range.last}, {"error", restored.error()});
      Rebuilt& rebuilt = segments[range.segment];
      rebuilt.done = rebuilt.done && done;
      rebuilt.whole = rebuilt.whole && restored.ok();
    }
    for (const auto& [segment, rebuilt] : segments) {
      if (!rebuilt.done) continue;
      search::Store* const into = &store;
      Result<void> forgotten = co_await upkeep.Run([into, segment] { return into->Restored(segment); });
      if (!forgotten.ok())
        LOG(error, "a quarantined segment stays", {"segment", segment}, {"error", forgotten.error()});
      else if (rebuilt.whole)
        LOG(warn, "a corrupt search segment was rebuilt from the log", {"segment", segment});
      else
        LOG(error, "a corrupt search segment is gone and only what the log still has was rebuilt",
            {"segment", segment});
    }
  }

  /// Of each document that the stream of documents names: its last replacement or deletion.
  using LastWrites = std::unordered_map<std::string, std::uint64_t>;
  static std::string NameOf(std::string_view index, std::string_view id) {
    return std::string(index) + '\n' + std::string(id);
  }
  async::Task<Result<std::shared_ptr<const LastWrites>>> ReadLastWrites(const Reader& reader,
                                                                        client::ReadRequest request) {
    auto lasts = std::make_shared<LastWrites>();
    if (!reader.source.index.empty()) co_return std::shared_ptr<const LastWrites>(lasts);
    for (;;) {
      Result<client::ReadBatch> read =
          co_await client.Read(async::Context::WithTimeout(kReadTimeout), request);
      if (!read.ok()) co_return read.error();
      const bool end =
          read->next.empty() || (read->records.empty() && read->behind_latest == Duration::zero());
      const std::string next = read->next;
      Result<void> noted = co_await upkeep.Run([lasts, records = std::move(read->records)]() -> Result<void> {
        for (const client::StreamRecord& record : records) {
          const auto document = search::DecodeLoggedDocument(record.data.view());
          if (!document.ok() || document->id.empty()) continue;
          if (document->kind == search::WriteKind::kIndex || document->kind == search::WriteKind::kDelete)
            (*lasts)[NameOf(document->index, document->id)] = client::SequenceCounter(record.sequence);
        }
        return Ok();
      });
      if (!noted.ok()) co_return noted.error();
      if (end) co_return std::shared_ptr<const LastWrites>(lasts);
      request.from = client::FromCursor{next};
    }
  }

  async::Task<Result<void>> Restore(search::LostRange range) {
    const std::optional<ShardKey> key = ShardKey::Parse(range.shard);
    const Reader* reader = nullptr;
    for (const auto& one : readers)
      if (key.has_value() && one->source.stream == key->stream) reader = one.get();
    if (reader == nullptr) co_return Error(ErrorCode::kNotFound, "its stream is not indexed any more");
    Result<std::vector<client::ShardDescription>> shards =
        co_await client.ListShards(async::Context::WithTimeout(kCallTimeout), key->stream);
    if (!shards.ok()) co_return shards.error();
    const auto shard = std::find_if(shards->begin(), shards->end(),
                                    [&key](const auto& one) { return one.shard_id == key->shard_id; });
    if (shard == shards->end()) co_return Error(ErrorCode::kNotFound, "its shard is gone");
    client::ReadRequest request;
    request.stream = key->stream;
    request.shard_id = key->shard_id;
    request.from = client::FromTrimHorizon{};
    Result<std::shared_ptr<const LastWrites>> last_writes = co_await ReadLastWrites(*reader, request);
    if (!last_writes.ok()) co_return last_writes.error();
    std::optional<std::uint64_t> begin;  // of what the log still has
    for (;;) {
      Result<client::ReadBatch> read =
          co_await client.Read(async::Context::WithTimeout(kReadTimeout), request);
      if (!read.ok()) co_return read.error();
      if (!begin.has_value() && !read->records.empty())
        begin = client::SequenceCounter(read->records.front().sequence);
      std::vector<client::StreamRecord> lost;
      bool behind = false;  // the range has been passed
      for (client::StreamRecord& record : read->records) {
        if (consumer::ShardCreation(record.sequence) != key->created_s)
          co_return Error(ErrorCode::kNotFound, "its stream was made anew");
        const std::uint64_t counter = client::SequenceCounter(record.sequence);
        behind = behind || counter >= range.last;
        if (counter < range.first || counter > range.last) continue;
        lost.push_back(std::move(record));
      }
      if (!lost.empty()) {
        search::Store* const into = &store;
        const Source* const from = &reader->source;
        const std::string* const id_field = &config.id_field;
        auto restore = [into, from, id_field, lost = std::move(lost), range, shard = *shard,
                        lasts = *last_writes]() mutable -> Result<std::uint64_t> {
          std::uint64_t restored = 0;
          for (std::size_t next = 0; next < lost.size();) {
            const Work work = OpenSome(lost, next, range.shard, shard, OpeningOf(*from));
            if (work.records.empty()) continue;
            Outcome outcome;
            std::deque<search::LoggedDocument> logged;
            search::StoreBatch documents = Documents(work, *from, *id_field, logged, outcome);
            std::erase_if(documents.documents, [&](const search::StoreDocument& document) {
              if (document.index != range.index || document.kind == search::WriteKind::kDelete) return true;
              const auto last = lasts->find(NameOf(document.index, document.id));
              return last != lasts->end() && last->second > document.sequence;
            });
            HONRYU_TRY(const auto result, into->Restore(documents));
            restored += result.added;
          }
          return restored;
        };
        Result<std::uint64_t> added = co_await upkeep.Run(std::move(restore));
        if (!added.ok()) co_return added.error();
        metrics.lost_documents.Add(static_cast<double>(*added));
      }
      const bool end =
          read->next.empty() || (read->records.empty() && read->behind_latest == Duration::zero());
      if ((behind || end) && (!begin.has_value() || *begin > range.first))
        co_return Error(ErrorCode::kNotFound, "the log begins behind it: what stood before is gone");
      if (behind || end) co_return Ok();
      request.from = client::FromCursor{read->next};
    }
  }

  async::Task<Result<void>> RefreshNow() {
    const Progress::Positions indexed = progress.indexed();
    search::Store* const refreshed = &store;
    Result<void> done = co_await upkeep.Run([refreshed] { return refreshed->Refresh(); });
    if (!done.ok()) co_return done;
    const async::Executor here = co_await async::CurrentExecutor();
    if (here == executor)
      BecameVisible(indexed);
    else
      progress.Visible(indexed);
    co_return done;
  }

  const IndexerConfig config;
  search::Store& store;
  client::StreamClient& client;
  async::Runtime& runtime;
  const async::Executor executor;
  const Clock& clock;
  obs::Registry& registry;
  Metrics metrics;
  std::atomic<bool> failing{false};
  std::atomic<bool> stream_made{false};   ///< The stream of documents is there.
  std::set<std::string> reported_full;    ///< Indices beyond a limit, that were logged. Runs on: executor.
  std::set<std::uint64_t> reported_lost;  ///< Corrupt segments that were logged. Runs on: executor.
  Progress progress;
  std::vector<std::unique_ptr<Reader>> readers;
  async::BlockingCalls adds, upkeep;
  async::TaskGroup background;
};

Indexer::Indexer(IndexerConfig config, search::Store& store, client::StreamClient& client,
                 async::Runtime& runtime, async::Executor executor, const Clock& clock,
                 obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), store, client, runtime, std::move(executor), clock,
                                   metrics)) {}

Indexer::~Indexer() = default;

void Indexer::Start() {
  if (!impl_->config.document_stream.empty())
    impl_->background.Spawn(impl_->executor, "stream of documents", impl_->MakeDocumentStream());
  impl_->background.Spawn(impl_->executor, "search store refresh", impl_->Refreshes());
  impl_->background.Spawn(impl_->executor, "search store upkeep", impl_->Upkeep());
  if (impl_->config.erasure_stream.empty())
    impl_->StartReaders();
  else
    impl_->background.Spawn(impl_->executor, "erasures", impl_->FollowErasures());
}

async::Task<void> Indexer::Stop(MonoTime deadline) {
  impl_->background.Cancel();
  Result<void> joined = co_await impl_->background.Join();
  for (const auto& reader : impl_->readers) co_await reader->worker.Stop(deadline);
}

async::Task<void> Indexer::Abandon() {
  impl_->background.Cancel();
  Result<void> joined = co_await impl_->background.Join();
  for (const auto& reader : impl_->readers) co_await reader->worker.Abandon();
}

Result<void> Indexer::Ready() const {
  if (impl_->failing) return Error(ErrorCode::kUnavailable, "upkeep of the search store fails; see the log");
  if (!impl_->config.document_stream.empty() && !impl_->stream_made)
    return Error(ErrorCode::kUnavailable, "the stream of documents is being made");
  for (const auto& reader : impl_->readers) HONRYU_TRY_VOID(reader->worker.Ready());
  return Ok();
}

async::Task<Result<void>> Indexer::AwaitVisible(async::Context ctx, std::string stream,
                                                std::vector<client::PutPosition> positions, bool now) {
  Progress::Positions wanted;
  for (const client::PutPosition& position : positions) {
    const ShardKey key{stream, position.shard_id, consumer::ShardCreation(position.sequence)};
    std::uint64_t& counter = wanted[key.Text()];
    counter = std::max(counter, client::SequenceCounter(position.sequence));
  }
  if (!now) {
    Result<void> visible = co_await impl_->progress.Wait(std::move(ctx), std::move(wanted), true);
    co_return visible;
  }
  Result<void> indexed = co_await impl_->progress.Wait(ctx, std::move(wanted), false);
  if (!indexed.ok()) co_return indexed;
  Result<void> refreshed = co_await impl_->RefreshNow();
  co_return refreshed;
}

}  // namespace honryu::processors::indexer
