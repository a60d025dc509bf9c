#include "pipeline.h"

#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <utility>

namespace honryu::processors::alerter {

namespace {

constexpr std::size_t kPutEntries = 500;     // as many as the Kinesis API takes in one call
constexpr std::size_t kMostPending = 5000;   // then reading waits for the next write
constexpr std::size_t kMostState = 1 << 20;  // of a checkpoint
constexpr std::size_t kMostPlainState = 64 << 20;
constexpr char kStateVersion = 1;
constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr Duration kPoll = std::chrono::milliseconds(10);

consumer::WorkerConfig WorkerConfigOf(const AlerterConfig& config, const std::string& stream) {
  consumer::WorkerConfig worker;
  worker.application = config.application;
  worker.stream = stream;
  worker.lease_duration = config.lease_duration;
  worker.sync_interval = config.sync_interval;
  worker.poll_wait = config.poll_wait;
  worker.exclusive = true;
  worker.opening = consumer::OpeningConfig::All();
  worker.dead_letters.enabled = true;  // for what does not open
  return worker;
}

}  // namespace

AlerterMetrics::AlerterMetrics(obs::Registry& registry)
    : records(registry.MakeCounter("honryu_alerter_records_total", "Records that rules were evaluated on")),
      malformed(registry.MakeCounter("honryu_alerter_malformed_total", "Records that were no JSON objects")),
      changes(registry.MakeCounter("honryu_alerter_changes_total", "Steps of alerts from state to state")),
      notifications(registry.MakeCounter("honryu_alerter_notifications_total", "Notifications written")),
      write_errors(registry.MakeCounter("honryu_alerter_write_errors_total", "Failed writes and saves")),
      dropped(registry.MakeCounter("honryu_alerter_dropped_total", "Records that the log refused for good")),
      checkpoints(registry.MakeCounter("honryu_alerter_checkpoints_total", "Checkpoints saved")),
      evicted(registry.MakeCounter("honryu_alerter_evicted_total", "Series that made room for others")),
      active(registry.MakeGauge("honryu_alerter_active_alerts", "Series that are not OK")),
      series(registry.MakeGauge("honryu_alerter_series", "Series watched by rules")) {}

Pipeline::Pipeline(const AlerterConfig& config, std::string stream, std::vector<alerting::Rule> rules,
                   client::StreamClient& client, async::Executor executor, const Clock& clock,
                   obs::Registry& registry, AlerterMetrics& metrics)
    : config_(config),
      stream_(std::move(stream)),
      rules_(std::move(rules)),
      client_(client),
      clock_(clock),
      metrics_(metrics),
      engine_(rules_),
      worker_(WorkerConfigOf(config, stream_), client, *this, std::move(executor), clock, registry) {}

async::Context Pipeline::Call() const {
  async::Context ctx = async::Context::WithTimeout(kCallTimeout);
  ctx.deadline = std::min(ctx.deadline, stop_deadline_);
  return ctx;
}

// ---- reading ----

void Pipeline::OnShards(const std::vector<client::ShardDescription>& shards) {
  if (complete_) return;
  // Children are started only after their parents, which are not read before all is complete.
  std::set<std::string> names;
  for (const client::ShardDescription& shard : shards) names.insert(shard.shard_id);
  awaited_.clear();
  for (const client::ShardDescription& shard : shards) {
    if (!names.contains(shard.parent_id) && !names.contains(shard.adjacent_parent_id))
      awaited_.insert(shard.shard_id);
  }
}

bool Pipeline::complete() {
  if (!complete_)
    complete_ = !awaited_.empty() && std::all_of(awaited_.begin(), awaited_.end(),
                                                 [this](const auto& name) { return shards_.contains(name); });
  return complete_;
}

void Pipeline::TakeSnapshot(const std::string& state) {
  if (state.empty()) return;
  const auto refuse = [this](const Error& error) {
    LOG(error, "saved state of alerts not used", {"stream", stream_}, {"error", error});
  };
  if (state.front() != kStateVersion)
    return refuse(Error(ErrorCode::kUnimplemented, "it is of another version"));
  const Result<std::string> plain =
      codec::Decompress(codec::Compression::kZstd, std::string_view(state).substr(1), kMostPlainState);
  if (!plain.ok()) return refuse(plain.error());
  const Result<codec::Json> json = codec::Json::Parse(*plain);
  if (!json.ok()) return refuse(json.error());
  const codec::Json* generation = json->Find("generation");
  const codec::Json* positions = json->Find("positions");
  const codec::Json* engine = json->Find("engine");
  if (generation == nullptr || positions == nullptr || engine == nullptr)
    return refuse(Error(ErrorCode::kCorrupt, "members are missing"));
  const auto number = static_cast<std::uint64_t>(generation->IntOr(0));
  if (number <= generation_) return;  // that of another shard is as new
  if (const Result<void> taken = engine_.Restore(engine->Dump()); !taken.ok()) return refuse(taken.error());
  generation_ = number;
  restored_.clear();
  for (const auto& [shard, text] : positions->object()) {
    const Result<SequenceNumber> position = SequenceNumber::FromDecimal(text.StringOr(""));
    if (position.ok()) restored_[shard] = *position;
  }
}

async::Task<Result<client::StartPosition>> Pipeline::OnShardStart(consumer::ShardStart start) {
  Shard shard;
  shard.checkpointer = start.checkpointer;
  shard.position = start.checkpoint;
  if (!complete_) TakeSnapshot(start.state);
  shards_[start.shard.shard_id] = std::move(shard);
  client::StartPosition otherwise = client::FromTrimHorizon{};
  if (start.shard.parent_id.empty()) {
    const auto back = std::chrono::milliseconds(ToMs(config_.look_back));
    otherwise = client::FromTimestamp{clock_.Now() - back};
  }
  client::StartPosition from = consumer::StartAtCheckpoint(start, std::move(otherwise));
  co_return from;
}

async::Task<Result<void>> Pipeline::OnBatch(const consumer::Batch& batch) {
  for (;;) {
    const auto found = shards_.find(batch.shard_id);
    if (found == shards_.end() || found->second.checkpointer->ending())
      co_return Error(ErrorCode::kCancelled, "the shard is lost");
    if (complete() && pending_.size() < kMostPending) break;
    Result<void> slept = co_await async::SleepFor(kPoll);
    if (!slept.ok()) co_return slept;
  }
  Shard& shard = shards_.at(batch.shard_id);
  const auto known = restored_.find(batch.shard_id);
  alerting::EngineOutput out;
  for (const client::StreamRecord& record : batch.records) {
    if (known != restored_.end() && record.sequence <= known->second) continue;  // in the snapshot already
    if (shard.position.has_value() && record.sequence < *shard.position) continue;
    metrics_.records.Add();
    if (const Result<void> done = engine_.Process(record.data.view(), record.arrival, out); !done.ok()) {
      metrics_.malformed.Add();
      LOG_LIMITED(info, "record is nothing for rules", {"stream", stream_}, {"error", done.error()});
    }
    shard.arrival = std::max(shard.arrival, record.arrival);
  }
  shard.position = batch.records.back().sequence;
  shard.caught_up = batch.behind_latest == Duration::zero();
  Collect(out);
  co_return Ok();
}

async::Task<Result<void>> Pipeline::OnIdle(const std::string& shard_id) {
  if (const auto found = shards_.find(shard_id); found != shards_.end()) found->second.caught_up = true;
  co_return Ok();
}

async::Task<Result<void>> Pipeline::OnShardEnd(const std::string& shard_id) {
  if (const auto found = shards_.find(shard_id); found != shards_.end())
    found->second.ended = found->second.caught_up = true;
  co_return Ok();
}

void Pipeline::OnShardLost(const std::string& shard_id) {
  const auto found = shards_.find(shard_id);
  if (found == shards_.end()) return;  // finished
  const bool finishing = found->second.finishing;
  shards_.erase(found);
  // Between the end of the last parent and the start of its children there is no shard, and all is still
  // ours.
  if (finishing || !shards_.empty()) return;
  // Another process goes on; should this one be asked again, it begins with what that one has saved.
  complete_ = false;
  generation_ = 0;
  restored_.clear();
  pending_.clear();
  engine_ = alerting::Engine(rules_);
}

// ---- what comes out ----

void Pipeline::Collect(alerting::EngineOutput& out) {
  const auto push = [this](std::string key, std::string json) {
    client::PutEntry entry;
    entry.partition_key = std::move(key);
    entry.data = Bytes(std::move(json));
    pending_.push_back(std::move(entry));
  };
  for (const alerting::Change& change : out.changes) push(change.alert.rule, alerting::ToJson(change));
  for (const alerting::Notification& note : out.notifications) push(note.rule, alerting::ToJson(note));
  metrics_.changes.Add(static_cast<double>(out.changes.size()));
  metrics_.notifications.Add(static_cast<double>(out.notifications.size()));
}

// Time goes on to the clock's where all that was written has been read, else to the last record of the shard
// that is furthest behind.
void Pipeline::AdvanceTime() {
  if (shards_.empty() || !complete()) return;
  Timestamp until = clock_.Now() - std::chrono::milliseconds(ToMs(config_.settle));
  for (const auto& [name, shard] : shards_) {
    if (!shard.caught_up) until = std::min(until, shard.arrival);
  }
  if (until <= Timestamp()) return;
  alerting::EngineOutput out;
  engine_.Advance(until, out);
  Collect(out);
}

async::Task<Result<void>> Pipeline::Tick(bool save) {
  AdvanceTime();
  HONRYU_CO_TRY_VOID(co_await Write());
  const bool due = std::chrono::steady_clock::now() - saved_ >= config_.checkpoint_interval;
  const bool ended =
      std::any_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard.second.ended; });
  if (!complete_ || !pending_.empty() || !(save || due || important_ || ended)) co_return Ok();
  Result<void> saved = co_await Save();
  co_return saved;
}

async::Task<Result<void>> Pipeline::Write() {
  while (!pending_.empty()) {
    const std::size_t count = std::min(pending_.size(), kPutEntries);
    std::vector<client::PutEntry> entries(pending_.begin(),
                                          pending_.begin() + static_cast<std::ptrdiff_t>(count));
    Result<std::vector<Result<client::PutPosition>>> put =
        co_await client_.Put(Call(), config_.alerts_stream, std::move(entries));
    if (!put.ok()) co_return put.error();
    if (pending_.size() < count) co_return Ok();  // the shards were lost meanwhile
    std::deque<client::PutEntry> again;
    std::optional<Error> failed;
    for (std::size_t i = 0; i < count; ++i) {
      const Result<client::PutPosition>& one = (*put)[i];
      if (one.ok()) continue;
      const ErrorCode code = one.error().code();
      if (code == ErrorCode::kTooLarge || code == ErrorCode::kInvalidArgument) {
        metrics_.dropped.Add();
        LOG_LIMITED(error, "an alert was refused for good", {"error", one.error()});
        continue;
      }
      failed = one.error();
      again.push_back(std::move(pending_[i]));
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
    pending_.insert(pending_.begin(), std::make_move_iterator(again.begin()),
                    std::make_move_iterator(again.end()));
    important_ = true;
    if (failed.has_value()) co_return *failed;
  }
  co_return Ok();
}

std::string Pipeline::Snapshot() const {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("generation");
  json.Uint(generation_);
  json.Key("positions");
  json.BeginObject();
  for (const auto& [name, shard] : shards_) {
    if (!shard.position.has_value()) continue;
    json.Key(name);
    json.PlainString(shard.position->ToDecimal());
  }
  json.EndObject();
  json.Key("engine");
  json.Raw(engine_.Snapshot());
  json.EndObject();
  Result<std::string> packed = codec::Compress(codec::Compression::kZstd, text);
  if (!packed.ok()) return {};
  return kStateVersion + *packed;
}

async::Task<Result<void>> Pipeline::Save() {
  ++generation_;
  Flight flight;
  flight.snapshot = Snapshot();
  if (flight.snapshot.size() > kMostState) {
    LOG_LIMITED(error, "the state of the alert rules is too large to be saved; watch fewer series",
                {"stream", stream_}, {"bytes", flight.snapshot.size()});
    flight.snapshot.clear();
  }
  for (const auto& [name, shard] : shards_) {
    flight.positions[name] = shard.position;
    if (shard.ended) flight.finished.push_back(name);
  }
  important_ = false;
  saved_ = std::chrono::steady_clock::now();
  for (const auto& [name, position] : flight.positions) {
    const auto found = shards_.find(name);
    if (found == shards_.end()) continue;
    const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second.checkpointer;
    Result<void> saved = co_await checkpointer->Save(Call(), position, flight.snapshot);
    const bool outrun = !saved.ok() && (saved.error().code() == ErrorCode::kFenced ||
                                        saved.error().code() == ErrorCode::kInvalidArgument);
    if (!saved.ok() && !outrun) co_return saved;
    if (saved.ok()) metrics_.checkpoints.Add();
  }
  for (const std::string& name : flight.finished) {
    const auto found = shards_.find(name);
    if (found == shards_.end()) continue;
    const std::shared_ptr<consumer::Checkpointer> checkpointer = found->second.checkpointer;
    found->second.finishing = true;
    Result<void> finished = co_await checkpointer->Finish(Call());
    const auto again = shards_.find(name);
    if (again == shards_.end()) continue;
    if (!finished.ok()) {
      again->second.finishing = false;
      if (finished.error().code() != ErrorCode::kFenced) co_return finished;
      continue;  // another owner's now: OnShardLost comes
    }
    shards_.erase(again);
  }
  co_return Ok();
}

// ---- life ----

async::Task<void> Pipeline::Stop(MonoTime deadline) {
  stop_deadline_ = deadline;
  if (owns()) {
    Result<void> done = co_await Tick(true);
    if (!done.ok())
      LOG(warn, "alerts not stored at the end, they will be found again", {"stream", stream_},
          {"error", done.error()});
  }
  co_await worker_.Stop(deadline);
}

async::Task<void> Pipeline::Abandon() { co_await worker_.Abandon(); }

Result<void> Pipeline::Ready() const { return worker_.Ready(); }

}  // namespace honryu::processors::alerter
