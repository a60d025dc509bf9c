#include "processors/aggregator/event_kpi_operator.h"

#include "honryu/codec/json.h"
#include "honryu/consumer/sequence.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <set>
#include <utility>

namespace honryu::processors::aggregator {

namespace {

constexpr std::int64_t kNone = analytics::WatermarkTracker::kNone;
constexpr const char* kMetricNames[] = {"events", "users", "errors"};
constexpr std::string_view kOther = "__other__";
/// What a window and a group take beside their users and texts, with the nodes of the maps they stand in.
constexpr std::size_t kWindowBytes = 512, kGroupBytes = 256;

}  // namespace

EventKpiOperator::Metrics::Metrics(obs::Registry& registry) {
  const auto outcome = [&registry](const char* what) {
    return registry.MakeCounter("honryu_aggregator_events_total", "Records read, by what became of them",
                                {{"outcome", what}});
  };
  const auto rows = [&registry](const char* kind) {
    return registry.MakeCounter("honryu_aggregator_rows_total", "Rows given out", {{"kind", kind}});
  };
  events = outcome("counted");
  malformed = outcome("malformed");
  late = outcome("late");
  replayed = outcome("replayed");
  other_group = registry.MakeCounter("honryu_aggregator_other_group_total",
                                     "Events counted as __other__ because there are too many event types");
  partial_rows = rows("partial");
  final_rows = rows("final");
  open_windows = registry.MakeGauge("honryu_aggregator_open_windows", "Windows not yet final");
  memory = registry.MakeGauge("honryu_aggregator_window_memory_bytes",
                              "Estimated memory of windows not yet final; bounded by max_window_memory");
  watermark_s = registry.MakeGauge("honryu_aggregator_watermark_seconds",
                                   "Event time (Unix seconds) up to which windows are final; 0: none");
}

EventKpiOperator::EventKpiOperator(AggregatorConfig config, obs::Registry& registry)
    : config_(std::move(config)), metrics_(registry), tracker_(ToMs(config_.allowed_lateness)) {
  for (const Duration window : config_.windows) {
    Size size;
    size.name = WindowName(window);
    size.ms = ToMs(window);
    sizes_.push_back(std::move(size));
  }
}

std::unique_ptr<WindowOperator> MakeEventKpiOperator(const AggregatorConfig& config, obs::Registry& metrics) {
  return std::make_unique<EventKpiOperator>(config, metrics);
}

void EventKpiOperator::SetSources(const std::vector<std::string>& shards,
                                  const std::set<std::string>& parents) {
  const std::set<std::string> listed(shards.begin(), shards.end());
  for (const std::string& shard : listed) {
    if (sources_.contains(shard)) continue;
    Source source;
    source.index = next_index_++;
    sources_.emplace(shard, source);
    tracker_.Add(shard);
  }
  std::erase_if(sources_, [&](const auto& entry) {
    const bool gone = !listed.contains(entry.first) && entry.second.stage != Stage::kRunning;
    if (gone) tracker_.Remove(entry.first);
    return gone;
  });
  parents_.insert(parents.begin(), parents.end());
  std::erase_if(parents_, [this](const std::string& shard) { return !sources_.contains(shard); });
}

Result<std::optional<SequenceNumber>> EventKpiOperator::StartSource(const std::string& shard,
                                                                    std::optional<SequenceNumber> checkpoint,
                                                                    std::string_view state, Timestamp now) {
  if (!state.empty()) {
    HONRYU_TRY(KpiState saved, DecodeState(state));
    if (saved.generation > generation_) Adopt(std::move(saved));
  }
  auto found = sources_.find(shard);
  if (found == sources_.end()) {
    Source source;
    source.index = next_index_++;
    found = sources_.emplace(shard, source).first;
  }
  tracker_.Add(shard);
  Source& source = found->second;
  source.stage = Stage::kRunning;
  source.last_data = source.last_silent = now;
  if (checkpoint.has_value() && source.last.has_value() && !SameShard(*checkpoint, *source.last))
    ForgetRecords(shard, source);
  // What we have counted ourselves in windows still open must not be counted again.
  if (checkpoint.has_value() && (!source.last.has_value() || *source.last < *checkpoint))
    source.last = checkpoint;
  return source.last;
}

bool EventKpiOperator::SameShard(const SequenceNumber& a, const SequenceNumber& b) {
  return consumer::ShardCreation(a) == consumer::ShardCreation(b);
}

void EventKpiOperator::RestartSource(const std::string& shard) {
  if (const auto found = sources_.find(shard); found != sources_.end()) ForgetRecords(shard, found->second);
}

// The stream was deleted and made again: positions of the former shard of this name mean nothing now. What
// was counted of it stays counted; what open windows need of the new shard is all of it.
void EventKpiOperator::ForgetRecords(const std::string& shard, Source& source) {
  LOG(warn, "the shard is a new one of the same name, it is read from its beginning", {"shard", shard});
  source.last.reset();
  processed_before_.erase(shard);
  settled_.erase(shard);
  for (Size& size : sizes_) {
    for (auto& [start, window] : size.open) {
      if (window.holds.size() > source.index) window.holds[source.index].from.reset();
    }
  }
}

// Another run has got further (or an earlier one had): what it has closed is closed.
void EventKpiOperator::Adopt(KpiState state) {
  generation_ = state.generation;
  candidate_.reset();
  tracker_.Reset();
  if (state.watermark.has_value()) tracker_.AdvanceTo(*state.watermark);
  epoch_first_ = state.epoch_first;
  for (auto& [shard, sequence] : state.processed) {
    auto& before = processed_before_[shard];
    before = std::max(before, sequence);
    // Between two epochs no window is open: then all of it was counted in final windows, or was late.
    if (!state.epoch_first.has_value()) settled_[shard] = before;
  }
  for (Size& size : sizes_) {
    size.closed = std::move(state.windows[size.name]);
    if (size.closed.closed_to.has_value() && state.epoch_first.has_value())
      size.closed.epoch.Add(analytics::WindowStart(*state.epoch_first, size.ms), *size.closed.closed_to);
    size.closed.closed_to.reset();
    std::erase_if(size.open, [&](const auto& entry) {
      const bool closed = IsClosed(size, entry.first);
      if (closed) memory_ -= entry.second.memory;
      return closed;
    });
    if (!size.open.empty()) {
      const std::int64_t first = size.open.begin()->first;
      epoch_first_ = std::min(epoch_first_.value_or(first), first);
    }
  }
}

bool EventKpiOperator::IsClosed(const Size& size, std::int64_t start) const {
  const std::int64_t watermark = tracker_.watermark();
  return (watermark != kNone && start + size.ms <= watermark) || size.closed.spans.Contains(start);
}

void EventKpiOperator::Process(const std::string& shard, std::span<const client::StreamRecord> records,
                               Timestamp now) {
  const auto found = sources_.find(shard);
  if (found == sources_.end()) return;
  for (auto& [name, other] : sources_) other.silent_since_data = false;
  Source& source = found->second;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const SequenceNumber& sequence = records[i].sequence;
    if (source.last.has_value() && !SameShard(sequence, *source.last)) ForgetRecords(shard, source);
    if (source.last.has_value() && sequence <= *source.last) continue;
    ProcessOne(shard, source, records[i]);
    // Records of one aggregate share their number, and are in one batch.
    if (i + 1 == records.size() || records[i + 1].sequence != sequence) source.last = sequence;
  }
  source.last_data = now;
  metrics_.memory.Set(static_cast<double>(memory_));
}

void EventKpiOperator::ProcessOne(const std::string& shard, Source& source,
                                  const client::StreamRecord& record) {
  const Result<EventFields> fields = ReadEventFields(record, config_);
  if (!fields.ok()) {
    metrics_.malformed.Add();
    LOG_LIMITED(warn, "record is no event", {"shard", shard}, {"error", fields.error()});
    return;
  }
  if (const auto done = settled_.find(shard); done != settled_.end() && record.sequence <= done->second) {
    metrics_.replayed.Add();
    return;
  }
  missed_.clear();
  for (Size& size : sizes_) {
    const std::int64_t start = analytics::WindowStart(fields->time_ms, size.ms);
    if (IsClosed(size, start)) {
      missed_.push_back(&size.name);
    } else {
      Count(size.open[start], source, *fields);
    }
  }
  if (missed_.size() < sizes_.size()) {
    metrics_.events.Add();
    epoch_first_ = std::min(epoch_first_.value_or(fields->time_ms), fields->time_ms);
    // A clock that runs ahead says nothing about the others' events: at its arrival no event of a later time
    // can have been due. Counted is it at its own time.
    tracker_.Observe(shard, std::min(fields->time_ms, ToMs(record.arrival)));
  }
  if (missed_.empty()) return;
  const auto before = processed_before_.find(shard);
  if (before != processed_before_.end() && record.sequence <= before->second) {
    metrics_.replayed.Add();  // counted, or reported as late, by the run that closed these windows
  } else {
    TakeLate(shard, record, fields->time_ms, missed_);
  }
}

void EventKpiOperator::Count(Window& window, const Source& source, const EventFields& fields) {
  if (window.holds.size() <= source.index) window.holds.resize(source.index + 1);
  Hold& hold = window.holds[source.index];
  if (!hold.set) {
    hold.set = true;
    hold.from = source.last;
  }
  window.changed = true;
  const std::size_t before = window.memory;
  if (window.all.events == 0) window.memory += kWindowBytes;
  Add(window, window.all, fields);
  auto group = window.groups.find(fields.type);
  if (group == window.groups.end()) {
    const bool full = window.groups.size() >= config_.max_groups || !Admit(fields.type);
    if (full) metrics_.other_group.Add();
    Group fresh;
    fresh.users = analytics::DistinctCounter(config_.exact_users);
    const auto [place, added] =
        window.groups.try_emplace(full ? std::string(kOther) : fields.type, std::move(fresh));
    if (added) window.memory += kGroupBytes + place->first.size();
    group = place;
  }
  Add(window, group->second, fields);
  memory_ += window.memory - before;
}

// Names of types become series that readers keep for as long as rows live, so there must be an end to them.
bool EventKpiOperator::Admit(const std::string& type) {
  if (types_.contains(type)) return true;
  if (types_.size() >= config_.max_event_types) return false;
  types_.insert(type);
  return true;
}

void EventKpiOperator::Add(Window& window, Group& group, const EventFields& fields) const {
  if (group.events == 0) group.users = analytics::DistinctCounter(config_.exact_users);
  ++group.events;
  if (fields.error) ++group.errors;
  if (!fields.user_hash.has_value()) return;
  const std::size_t before = group.users.memory();
  group.users.AddHash(*fields.user_hash);
  window.memory = window.memory + group.users.memory() - before;
}

void EventKpiOperator::TakeLate(const std::string& shard, const client::StreamRecord& record,
                                std::int64_t time_ms, const std::vector<const std::string*>& sizes) {
  metrics_.late.Add();
  OutputRecord out;
  out.late = true;
  out.partition_key = shard;
  const std::string sequence = record.sequence.ToDecimal();
  const std::string within = record.sub_sequence > 0 ? "/" + std::to_string(record.sub_sequence) : "";
  codec::JsonWriter json(out.json);
  json.BeginObject();
  json.Key("id");
  json.String(shard + "/" + sequence + within);
  json.Key("reason");
  json.String("its windows are final");
  json.Key("windows");
  json.BeginArray();
  for (const std::string* name : sizes) json.String(*name);
  json.EndArray();
  json.Key("event_time");
  json.String(FormatTimestamp(TimestampFromMs(time_ms)));
  if (tracker_.watermark() != kNone) {
    json.Key("watermark");
    json.String(FormatTimestamp(TimestampFromMs(tracker_.watermark())));
  }
  json.Key("shard");
  json.String(shard);
  json.Key("sequence");
  json.PlainString(sequence);
  json.Key("event");
  json.Raw(record.data.view());
  json.EndObject();
  late_.push_back(std::move(out));
}

void EventKpiOperator::Silent(const std::string& shard, Timestamp now) {
  const auto found = sources_.find(shard);
  if (found == sources_.end()) return;
  found->second.silent_since_candidate = true;
  found->second.silent_since_data = true;
  found->second.last_silent = now;
}

void EventKpiOperator::EndSource(const std::string& shard) {
  const auto found = sources_.find(shard);
  if (found == sources_.end()) return;
  found->second.stage = Stage::kEnded;
  tracker_.SetIdle(shard);
}

void EventKpiOperator::PauseSource(const std::string& shard) {
  const auto found = sources_.find(shard);
  if (found == sources_.end()) return;
  found->second.stage = Stage::kListed;
  tracker_.Remove(shard);
  tracker_.Add(shard);
}

bool EventKpiOperator::complete() const {
  return !sources_.empty() && std::none_of(sources_.begin(), sources_.end(), [this](const auto& entry) {
    const bool childless = entry.second.stage == Stage::kEnded && !parents_.contains(entry.first);
    return entry.second.stage == Stage::kListed || childless;
  });
}

bool EventKpiOperator::IdleSourcesConfirm() const {
  return std::all_of(sources_.begin(), sources_.end(), [this](const auto& entry) {
    const Source& source = entry.second;
    return source.stage == Stage::kEnded || !tracker_.IsIdle(entry.first) || source.silent_since_candidate;
  });
}

bool EventKpiOperator::AllIdle() const {
  return tracker_.AllIdle() && std::all_of(sources_.begin(), sources_.end(), [](const auto& entry) {
           return entry.second.stage == Stage::kEnded || entry.second.silent_since_data;
         });
}

// Idle shards do not hold event time back, but they may have just got records that are as old as those which
// we have read from the others: a replay runs through hours of event time in a second. So while some are idle
// the watermark is first a candidate, and counts only when each idle shard was found empty once more since.
void EventKpiOperator::MoveTime(Timestamp now) {
  for (const auto& [shard, source] : sources_) {
    // Found empty all that time: a shard that could not be read is not idle.
    if (source.stage == Stage::kRunning && source.last_silent - source.last_data >= config_.idle_timeout)
      tracker_.SetIdle(shard);
  }
  if (!complete() || !epoch_first_.has_value()) return;
  if (AllIdle()) {
    candidate_.reset();
    // Up to the time at which each was last found empty: one that cannot be read any more stops the time.
    Timestamp empty = now;
    for (const auto& [shard, source] : sources_) {
      if (source.stage == Stage::kRunning) empty = std::min(empty, source.last_silent);
    }
    tracker_.AdvanceTo(ToMs(empty) - ToMs(config_.allowed_lateness));
    return;
  }
  if (candidate_.has_value() && IdleSourcesConfirm()) {
    tracker_.AdvanceTo(std::min(*candidate_, tracker_.Least()));
    candidate_.reset();
  }
  if (candidate_.has_value()) return;
  candidate_ = tracker_.Least();
  for (auto& [shard, source] : sources_) source.silent_since_candidate = false;
  if (IdleSourcesConfirm()) {  // none is idle
    tracker_.AdvanceTo(*candidate_);
    candidate_.reset();
  }
}

void EventKpiOperator::EndEpoch() {
  for (Size& size : sizes_) {
    for (const auto& [start, end] : size.closed.epoch.spans()) size.closed.spans.Add(start, end);
    size.closed.epoch = analytics::TimeSpans();
  }
  epoch_first_.reset();
  candidate_.reset();
  tracker_.Reset();
}

std::vector<OutputRecord> EventKpiOperator::Drain(Timestamp now) {
  std::vector<OutputRecord> out = std::move(late_);
  late_.clear();
  MoveTime(now);
  std::size_t open = 0;
  for (Size& size : sizes_) {
    while (!size.open.empty() && IsClosed(size, size.open.begin()->first)) {
      const auto window = size.open.begin();
      DrainWindow(size, window->first, window->second, true, out);
      size.closed.epoch.Add(window->first, window->first + size.ms);
      memory_ -= window->second.memory;
      size.open.erase(window);
    }
    for (auto& [start, window] : size.open) {
      if (window.changed) DrainWindow(size, start, window, false, out);
    }
    open += size.open.size();
  }
  if (open == 0 && epoch_first_.has_value() && AllIdle()) EndEpoch();
  if (complete()) ++generation_;
  metrics_.open_windows.Set(static_cast<double>(open));
  metrics_.memory.Set(static_cast<double>(memory_));
  const std::int64_t watermark = tracker_.watermark();
  metrics_.watermark_s.Set(watermark == kNone ? 0 : static_cast<double>(watermark) / 1000);
  return out;
}

void EventKpiOperator::DrainWindow(const Size& size, std::int64_t start, Window& window, bool final,
                                   std::vector<OutputRecord>& out) {
  DrainGroup(size, start, "", window.all, final, out);
  for (auto& [type, group] : window.groups) DrainGroup(size, start, "event_type=" + type, group, final, out);
  window.changed = false;
}

void EventKpiOperator::DrainGroup(const Size& size, std::int64_t start, const std::string& group_name,
                                  Group& group, bool final, std::vector<OutputRecord>& out) {
  const std::uint64_t values[] = {group.events, group.users.Count(), group.errors};
  for (std::size_t metric = 0; metric < std::size(values); ++metric) {
    if (!final && group.told[metric] == values[metric]) continue;
    group.told[metric] = values[metric];
    const std::string name = kMetricNames[metric];
    OutputRecord row;
    row.final = final;
    row.partition_key = name + "/" + group_name;
    codec::JsonWriter json(row.json);
    json.BeginObject();
    json.Key("id");
    json.String(size.name + "/" + FormatTimestamp(TimestampFromMs(start)) + "/" + row.partition_key);
    json.Key("metric");
    json.String(name);
    json.Key("window");
    json.String(size.name);
    json.Key("start");
    json.Int(start);
    json.Key("end");
    json.Int(start + size.ms);
    json.Key("group");
    json.String(group_name);
    json.Key("value");
    json.Uint(values[metric]);
    if (metric == 1 && !group.users.exact()) {
      json.Key("approximate");
      json.Bool(true);
    }
    json.Key("final");
    json.Bool(final);
    // The events counted so far: rises with every change, and is the same again after a replay.
    json.Key("revision");
    json.Uint(group.events);
    json.EndObject();
    (final ? metrics_.final_rows : metrics_.partial_rows).Add();
    out.push_back(std::move(row));
  }
}

bool EventKpiOperator::MustWait(const std::string& shard, Timestamp now) const {
  if (memory_ <= config_.max_window_memory.bytes) return false;
  const std::int64_t own = tracker_.Newest(shard);
  if (own == kNone) return false;
  return std::any_of(sources_.begin(), sources_.end(), [&](const auto& entry) {
    const auto& [name, other] = entry;
    if (name == shard || other.stage == Stage::kEnded) return false;
    if (other.stage == Stage::kListed) return true;
    if (tracker_.IsIdle(name)) return now - other.last_silent >= config_.idle_timeout;
    return tracker_.Newest(name) < own;  // kNone is below all
  });
}

std::string EventKpiOperator::Snapshot() const {
  KpiState state;
  state.generation = generation_;
  state.epoch_first = epoch_first_;
  if (tracker_.watermark() != kNone) state.watermark = tracker_.watermark();
  for (const Size& size : sizes_) state.windows[size.name] = size.closed;
  state.processed = processed_before_;
  for (const auto& [shard, source] : sources_) {
    if (!source.last.has_value()) continue;
    SequenceNumber& processed = state.processed[shard];
    processed = std::max(processed, *source.last);
  }
  std::erase_if(state.processed, [&](const auto& entry) { return !sources_.contains(entry.first); });
  return EncodeState(state);
}

std::optional<SequenceNumber> EventKpiOperator::SafePosition(const std::string& shard) const {
  const auto found = sources_.find(shard);
  if (found == sources_.end()) return std::nullopt;
  std::optional<SequenceNumber> safe = found->second.last;
  const std::size_t index = found->second.index;
  for (const Size& size : sizes_) {
    for (const auto& [start, window] : size.open) {
      if (window.holds.size() <= index || !window.holds[index].set) continue;
      const std::optional<SequenceNumber>& from = window.holds[index].from;
      if (!from.has_value()) return std::nullopt;
      safe = std::min(*safe, *from);
    }
  }
  return safe;
}

bool EventKpiOperator::Finished(const std::string& shard) const {
  const auto found = sources_.find(shard);
  if (found == sources_.end() || found->second.stage != Stage::kEnded) return false;
  return SafePosition(shard) == found->second.last;
}

}  // namespace honryu::processors::aggregator
