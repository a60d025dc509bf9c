#include "honryu/sqlapp/machine.h"

#include "honryu/base/check.h"
#include "honryu/codec/varint.h"
#include "honryu/consumer/opening.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <array>

namespace honryu::sqlapp {
namespace {

// docs/formats/sql-application.md. On disk: never renumber.
constexpr std::uint64_t kAdded = 1, kRestarted = 2, kUpto = 4, kBehindSet = 8, kBehind = 16, kClosed = 32,
                        kNextLane = 64, kTable = 128;
constexpr std::string_view kMagic = "HRYUSAM1";

void AppendSequence(std::string& out, const SequenceNumber& sequence) {
  for (const std::uint64_t word : sequence.words) codec::AppendVarint(out, word);
}

bool TakeSequence(std::string_view* in, SequenceNumber* sequence) {
  for (std::uint64_t& word : sequence->words)
    if (!codec::TakeVarint(in, &word)) return false;
  return true;
}

void AppendText(std::string& out, std::string_view text) {
  codec::AppendVarint(out, text.size());
  out += text;
}

bool TakeText(std::string_view* in, std::string* text) {
  std::uint64_t size = 0;
  if (!codec::TakeVarint(in, &size) || size > in->size()) return false;
  text->assign(in->substr(0, size));
  in->remove_prefix(size);
  return true;
}

// The limits are part of what makes a repetition give the same rows: they are no settings.
const consumer::OpeningConfig& ConfigOf(Opening opening) {
  static const std::array<consumer::OpeningConfig, 3> kConfigs = [] {
    consumer::OpeningConfig all = consumer::OpeningConfig::All(), none;
    all.aggregates = none.aggregates = false;  // that takes the shard's range of keys: whoever reads does it
    consumer::OpeningConfig packed = all;
    packed.lines = packed.arrays = consumer::SplitRule::kNever;
    return std::array{all, packed, none};
  }();
  return kConfigs[static_cast<std::size_t>(opening)];
}

}  // namespace

void AppendCut(const Cut& cut, std::string& out) {
  codec::AppendVarint(out, cut.number);
  codec::AppendVarint(out, static_cast<std::uint64_t>(cut.now_ms));
  codec::AppendVarint(out, cut.tables.size() + cut.steps.size());
  for (const TableStep& step : cut.tables) {
    codec::AppendVarint(out, step.table);
    codec::AppendVarint(out, kTable);
    codec::AppendVarint(out, step.content);
  }
  for (const ShardStep& step : cut.steps) {
    codec::AppendVarint(out, step.shard);
    std::uint64_t flags = (step.added ? kAdded : 0) | (step.restarted ? kRestarted : 0) |
                          (step.upto.has_value() ? kUpto : 0) | (step.closed ? kClosed : 0) |
                          (step.next_lane ? kNextLane : 0);
    if (step.behind.has_value()) flags |= kBehindSet | (*step.behind ? kBehind : 0);
    codec::AppendVarint(out, flags);
    if (step.added) {
      codec::AppendVarint(out, step.stream);
      AppendText(out, step.id);
    }
    if (step.upto.has_value()) AppendSequence(out, *step.upto);
  }
}

std::optional<Cut> TakeCut(std::string_view& in) {
  Cut cut;
  std::uint64_t now = 0, steps = 0;
  if (!codec::TakeVarint(&in, &cut.number) || !codec::TakeVarint(&in, &now) ||
      !codec::TakeVarint(&in, &steps) || steps > in.size())
    return std::nullopt;
  cut.now_ms = static_cast<std::int64_t>(now);
  for (; steps > 0; --steps) {
    ShardStep step;
    std::uint64_t shard = 0, flags = 0, stream = 0;
    if (!codec::TakeVarint(&in, &shard) || !codec::TakeVarint(&in, &flags)) return std::nullopt;
    if ((flags & kTable) != 0) {
      TableStep& table = cut.tables.emplace_back();
      table.table = static_cast<std::uint32_t>(shard);
      if (!codec::TakeVarint(&in, &table.content)) return std::nullopt;
      continue;
    }
    step.shard = static_cast<std::uint32_t>(shard);
    step.added = (flags & kAdded) != 0;
    step.restarted = (flags & kRestarted) != 0;
    step.closed = (flags & kClosed) != 0;
    step.next_lane = (flags & kNextLane) != 0;
    if ((flags & kBehindSet) != 0) step.behind = (flags & kBehind) != 0;
    if (step.added) {
      if (!codec::TakeVarint(&in, &stream) || !TakeText(&in, &step.id)) return std::nullopt;
      step.stream = static_cast<std::uint32_t>(stream);
    }
    if ((flags & kUpto) != 0 && !TakeSequence(&in, &step.upto.emplace())) return std::nullopt;
    cut.steps.push_back(std::move(step));
  }
  return cut;
}

Result<std::unique_ptr<Machine>> Machine::Create(const Program& program, sql::EngineOptions options,
                                                 Sink sink, Fork fork) {
  std::unique_ptr<Machine> machine(
      new Machine(program, std::move(options), std::move(sink), std::move(fork)));
  machine->now_ms_ = machine->options_.start_ms;
  HONRYU_TRY_VOID(machine->MakeEngine());
  return machine;
}

Result<void> Machine::MakeEngine() {
  lanes_.clear();
  HONRYU_TRY(engine_,
             sql::Engine::Create(program_.prelude, program_.text, options_,
                                 [this](const sql::OutputRow& row) { sink_(row, last_cut_, ordinal_++); }));
  const std::vector<std::string> streams = program_.InputStreams();
  sources_.assign(streams.size(), {});
  for (const auto& [name, stream] : program_.sources) {
    Source source;
    source.opening = program_.OpeningOf(name);
    HONRYU_TRY(source.number, engine_->FindSource(name));
    const auto at = std::lower_bound(streams.begin(), streams.end(), stream);
    sources_[static_cast<std::size_t>(at - streams.begin())].push_back(source);
  }
  for (const auto& [table, rows] : tables_) HONRYU_TRY_VOID(engine_->SetTable(table, rows));
  return Ok();
}

// Also finds it again, and then says that it was heard of now.
void Machine::Add(Shard& shard) {
  shard.numbers.clear();
  for (const Source& source : sources_[shard.stream])
    shard.numbers.push_back(engine_->AddShard(source.number, shard.id));
}

// Before the first row of an epoch nothing moves time on: its rows may be of any age.
void Machine::SetBehind(const Shard& shard, bool behind) {
  behind = behind || (program_.epochs && !data_in_epoch_);
  for (std::size_t i = 0; i < shard.numbers.size(); ++i)
    engine_->SetBehind(sources_[shard.stream][i].number, shard.numbers[i], behind);
}

// Gives the records of one shard to the engine, or to one of its lanes.
class Machine::Pusher {
 public:
  /// `numbers`: the shard's in `target`, per source.
  Pusher(const Machine& machine, const Shard& shard, sql::Intake& target,
         const std::vector<std::size_t>& numbers)
      : shard_(shard),
        sources_(machine.sources_[shard.stream]),
        with_sequence_(machine.program_.uses_sequence_numbers),
        target_(target),
        numbers_(numbers) {}

  void Push(const std::vector<client::StreamRecord>& records) {
    std::vector<Opening> ways;
    for (const Opening way : kOpenings)
      if (std::ranges::any_of(sources_, [way](const Source& source) { return source.opening == way; }))
        ways.push_back(way);
    const std::span<const client::StreamRecord> all(records);
    for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
      bool as_it_is = true;
      for (end = begin; end < all.size() && all[end].sequence == all[begin].sequence; ++end)
        as_it_is = as_it_is && !consumer::MayNeedOpening(all[end].data, ConfigOf(Opening::kAll));
      if (as_it_is) {
        for (const client::StreamRecord& record : all.subspan(begin, end - begin))
          PushOne(record, std::nullopt);
        continue;
      }
      for (const Opening way : ways) PushOpened(all.subspan(begin, end - begin), way);
    }
  }

 private:
  // As it is, for all sources or those that want this opening.
  void PushOne(const client::StreamRecord& record, std::optional<Opening> only) {
    const sql::SourceRecord row = RowOf(record);
    for (std::size_t i = 0; i < numbers_.size(); ++i)
      if (!only.has_value() || sources_[i].opening == *only)
        target_.Push(sources_[i].number, numbers_[i], row);
  }

  // All that has one sequence number.
  void PushOpened(std::span<const client::StreamRecord> records, Opening opening) {
    const consumer::OpenedRecords opened =
        consumer::OpenUserRecords({records.begin(), records.end()}, ConfigOf(opening));
    for (const client::StreamRecord& record : opened.records) PushOne(record, opening);
    for (const consumer::UnopenedRecord& failed : opened.failed) {
      const std::string message = std::string(consumer::OpenFailureName(failed.failure)) + ": " +
                                  failed.message + "; sequence number " + failed.record.sequence.ToDecimal() +
                                  " of " + shard_.id;
      const sql::SourceRecord row = RowOf(failed.record);
      for (std::size_t i = 0; i < numbers_.size(); ++i)
        if (sources_[i].opening == opening) target_.Reject(sources_[i].number, row, "Unopenable", message);
    }
  }

  sql::SourceRecord RowOf(const client::StreamRecord& record) {
    sql::SourceRecord row;
    row.data = record.data.view();
    row.arrival_ms = ToMs(record.arrival);
    row.partition_key = record.partition_key;
    number_text_.clear();
    if (with_sequence_) record.sequence.AppendDecimal(number_text_);
    row.sequence_number = number_text_;
    return row;
  }

  const Shard& shard_;
  const std::vector<Source>& sources_;
  const bool with_sequence_;
  sql::Intake& target_;
  const std::vector<std::size_t>& numbers_;
  std::string number_text_;
};

std::size_t Machine::LanesOf(const Cut& cut) {
  return 1 + static_cast<std::size_t>(
                 std::ranges::count_if(cut.steps, [](const ShardStep& step) { return step.next_lane; }));
}

void Machine::PushRecords(const Cut& cut, const CutRecords& records) {
  std::vector<std::vector<std::uint32_t>> lanes(1);
  for (const ShardStep& step : cut.steps) {
    if (step.next_lane) lanes.emplace_back();
    if (step.upto.has_value() && records.contains(step.shard)) lanes.back().push_back(step.shard);
  }
  if (lanes.size() > 1) return PushInLanes(lanes, records);
  for (const std::uint32_t number : lanes.front())
    Pusher(*this, shards_[number], *engine_, shards_[number].numbers).Push(records.at(number));
}

void Machine::PushInLanes(const std::vector<std::vector<std::uint32_t>>& shards, const CutRecords& records) {
  while (lanes_.size() < shards.size()) {
    Result<std::unique_ptr<sql::Lane>> made = engine_->MakeLane();
    HONRYU_CHECK(made.ok(), "a program that an engine took is taken by its lanes");
    lanes_.push_back(std::move(*made));
  }
  const auto work = [&](std::size_t which) {
    sql::Lane& lane = *lanes_[which];
    lane.Begin();
    for (const std::uint32_t number : shards[which]) {
      const Shard& shard = shards_[number];
      std::vector<std::size_t> numbers;
      for (const Source& source : sources_[shard.stream])
        numbers.push_back(lane.AddShard(source.number, shard.id));
      Pusher(*this, shard, lane, numbers).Push(records.at(number));
    }
    lane.End();
  };
  if (fork_) {
    fork_(shards.size(), work);
  } else {
    for (std::size_t i = 0; i < shards.size(); ++i) work(i);
  }
  engine_->MergeLanes(std::span(lanes_).first(shards.size()));
}

// The order within a cut is fixed: shards are added, the clock moves (rows that are in this cut hold event
// time back meanwhile), records come shard by shard, shards end.
void Machine::Apply(const Cut& cut, const CutRecords& records) {
  last_cut_ = cut.number;
  ordinal_ = 0;
  now_ms_ = std::max(now_ms_, cut.now_ms);
  const bool data =
      std::any_of(cut.steps.begin(), cut.steps.end(), [](const auto& step) { return step.upto.has_value(); });
  const bool begins = data && !data_in_epoch_;
  for (const ShardStep& step : cut.steps) {
    if (step.added) {
      HONRYU_CHECK(step.shard == shards_.size(), "shards of an application are numbered in order");
      Shard shard;
      shard.stream = step.stream;
      shard.id = step.id;
      shard.last_data_ms = now_ms_;
      shards_.push_back(std::move(shard));
      Add(shards_.back());
    }
    Shard& shard = shards_[step.shard];
    if (step.restarted) shard.position.reset();
    if (step.added || step.upto.has_value() || step.behind == true) SetBehind(shard, true);
  }
  engine_->AdvanceTime(now_ms_);
  if (begins) {
    data_in_epoch_ = true;
    for (Shard& shard : shards_) {
      if (shard.closed) continue;
      shard.last_data_ms = now_ms_;  // silent only from here on
      Add(shard);
      SetBehind(shard, shard.behind);
    }
  }
  PushRecords(cut, records);
  for (const ShardStep& step : cut.steps) {
    if (!step.upto.has_value()) continue;
    Shard& shard = shards_[step.shard];
    shard.position = step.upto;
    shard.last_data_ms = now_ms_;
  }
  for (const ShardStep& step : cut.steps) {
    Shard& shard = shards_[step.shard];
    const bool before = shard.behind;
    shard.behind = step.behind.value_or(shard.behind);
    if (before && !shard.behind && !shard.closed) {  // caught up now: silent only from here on
      shard.last_data_ms = now_ms_;
      Add(shard);
    }
    if (step.added || step.behind.has_value() || step.upto.has_value()) SetBehind(shard, shard.behind);
  }
  for (const ShardStep& step : cut.steps) {
    if (!step.closed) continue;
    Shard& shard = shards_[step.shard];
    shard.closed = true;
    shard.behind = false;  // or it would never count as silent, and the clock would stand still
    SetBehind(shard, false);
    for (std::size_t i = 0; i < shard.numbers.size(); ++i)
      engine_->CloseShard(sources_[shard.stream][i].number, shard.numbers[i]);
  }
  EndEpochIfQuiet(data);
}

// All shards are idle and no window is open: older data may follow (a replay), so time begins anew.
void Machine::EndEpochIfQuiet(bool data) {
  if (!program_.epochs || data || !data_in_epoch_) return;
  for (const Shard& shard : shards_) {
    if (shard.closed) continue;
    if (shard.behind || now_ms_ - shard.last_data_ms < options_.idle_timeout_ms) return;
  }
  if (engine_->StateEntries() > 0) return;
  const Counters so_far = counters();
  options_.start_ms = now_ms_;
  if (const Result<void> made = MakeEngine(); !made.ok()) {  // the same program was taken before
    LOG(error, "the engine cannot begin a new epoch", {"error", made.error()});
    return;
  }
  before_ = so_far;
  data_in_epoch_ = false;
  for (Shard& shard : shards_) {
    shard.numbers.clear();
    if (shard.closed) continue;
    Add(shard);
    SetBehind(shard, shard.behind);
  }
}

void Machine::Finish() {
  ++last_cut_;
  ordinal_ = 0;
  engine_->Finish();
}

Result<void> Machine::SetTable(const std::string& table, std::vector<std::vector<sql::Value>> rows) {
  HONRYU_TRY_VOID(engine_->SetTable(table, rows));
  tables_[table] = std::move(rows);
  return Ok();
}

Machine::Counters Machine::counters() const {
  const sql::EngineCounters now = engine_->counters();
  Counters all = before_;
  all.rows_in += now.rows_in;
  all.rows_out += now.rows_out;
  all.error_rows += now.error_rows;
  all.late_rows += now.late_rows;
  return all;
}

std::string Machine::Snapshot() const {
  std::string out(kMagic);
  codec::AppendVarint(out, last_cut_);
  codec::AppendVarint(out, static_cast<std::uint64_t>(now_ms_));
  codec::AppendVarint(out, data_in_epoch_ ? 1 : 0);
  const Counters now = counters();
  for (const std::uint64_t count : {now.rows_in, now.rows_out, now.error_rows, now.late_rows})
    codec::AppendVarint(out, count);
  codec::AppendVarint(out, shards_.size());
  for (const Shard& shard : shards_) {
    codec::AppendVarint(out, shard.stream);
    AppendText(out, shard.id);
    codec::AppendVarint(out, (shard.position.has_value() ? kUpto : 0) | (shard.behind ? kBehind : 0) |
                                 (shard.closed ? kClosed : 0));
    if (shard.position.has_value()) AppendSequence(out, *shard.position);
    codec::AppendVarint(out, static_cast<std::uint64_t>(shard.last_data_ms));
    codec::AppendVarint(out, shard.numbers.size());
    for (const std::size_t number : shard.numbers) codec::AppendVarint(out, number);
  }
  AppendText(out, engine_->Snapshot());
  return out;
}

Result<void> Machine::Restore(std::string_view snapshot) {
  const auto corrupt = [] { return Error(ErrorCode::kCorrupt, "the state of the application is damaged"); };
  if (!snapshot.starts_with(kMagic)) return corrupt();
  snapshot.remove_prefix(kMagic.size());
  std::uint64_t now = 0, in_epoch = 0, count = 0;
  if (!codec::TakeVarint(&snapshot, &last_cut_) || !codec::TakeVarint(&snapshot, &now) ||
      !codec::TakeVarint(&snapshot, &in_epoch))
    return corrupt();
  now_ms_ = static_cast<std::int64_t>(now);
  data_in_epoch_ = in_epoch != 0;
  for (std::uint64_t* counter :
       {&before_.rows_in, &before_.rows_out, &before_.error_rows, &before_.late_rows})
    if (!codec::TakeVarint(&snapshot, counter)) return corrupt();
  if (!codec::TakeVarint(&snapshot, &count) || count > snapshot.size()) return corrupt();
  for (; count > 0; --count) {
    Shard shard;
    std::uint64_t stream = 0, flags = 0, last_data = 0;
    if (!codec::TakeVarint(&snapshot, &stream) || stream >= sources_.size() ||
        !TakeText(&snapshot, &shard.id) || !codec::TakeVarint(&snapshot, &flags))
      return corrupt();
    if ((flags & kUpto) != 0 && !TakeSequence(&snapshot, &shard.position.emplace())) return corrupt();
    std::uint64_t numbers = 0, number = 0;
    if (!codec::TakeVarint(&snapshot, &last_data) || !codec::TakeVarint(&snapshot, &numbers) ||
        numbers > sources_[stream].size())
      return corrupt();
    for (; numbers > 0; --numbers) {
      if (!codec::TakeVarint(&snapshot, &number)) return corrupt();
      shard.numbers.push_back(number);
    }
    shard.stream = static_cast<std::uint32_t>(stream);
    shard.behind = (flags & kBehind) != 0;
    shard.closed = (flags & kClosed) != 0;
    shard.last_data_ms = static_cast<std::int64_t>(last_data);
    shards_.push_back(std::move(shard));
  }
  std::string engine;
  if (!TakeText(&snapshot, &engine) || !snapshot.empty()) return corrupt();
  return engine_->Restore(engine);
}

}  // namespace honryu::sqlapp
