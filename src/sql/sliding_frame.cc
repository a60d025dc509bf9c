#include "sql/sliding_frame.h"

#include <utility>

namespace honryu::sql {
namespace {

// The i-th argument of a row lies behind those of the calls before.
template <class Body>
void ForEachCall(const FrameCalls& calls, std::uint64_t counts, Body body) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < calls.size(); at += calls.calls[i].args.size(), ++i)
    if ((counts >> i & 1) != 0) body(i, at);
}

}  // namespace

void SlidingFrame::AddRow(const Segment& segment, std::size_t row, Slot* slots, EvalContext& context) const {
  constexpr std::size_t kMostArgs = 32;  // of one call: more than the planner lets through
  const Value* args = segment.args.data() + row * calls_->args;
  ForEachCall(*calls_, segment.counts[row], [&](std::size_t i, std::size_t at) {
    const AggregateCall& call = calls_->calls[i];
    const Value* pointers[kMostArgs];
    const std::size_t count = std::min(call.args.size(), kMostArgs);
    for (std::size_t a = 0; a < count; ++a) pointers[a] = args + at + a;
    call.aggregate->Add(slots[i], {pointers, count}, segment.times[row], context);
  });
}

void SlidingFrame::MergeInto(Slot* into, const Slot* other, EvalContext& context) const {
  for (std::size_t i = 0; i < calls_->size(); ++i)
    calls_->calls[i].aggregate->Merge(into[i], other[i], context);
}

void SlidingFrame::MergeInto(std::vector<Slot>& into, const Slot* other, EvalContext& context) const {
  if (into.empty()) into = std::vector<Slot>(calls_->size());
  MergeInto(into.data(), other, context);
}

std::size_t SlidingFrame::SlotBytes(const std::vector<Slot>& slots) const {
  std::size_t bytes = slots.size() * sizeof(Slot);
  for (const Slot& slot : slots) bytes += slot.heavy ? slot.heavy->Bytes() : 0;
  return bytes;
}

// Counts the last row.
void SlidingFrame::CountRow(Segment& segment) const {
  constexpr std::size_t kInline = 15;  // characters that a text holds without memory of its own
  segment.bytes += sizeof(std::int64_t) + sizeof(std::uint64_t) + calls_->args * sizeof(Value);
  const Value* args = segment.args.data() + segment.args.size() - calls_->args;
  for (std::size_t a = 0; a < calls_->args; ++a)
    if (args[a].tag() == Value::Tag::kText && args[a].text().size() > kInline)
      segment.bytes += args[a].text().size();
}

void SlidingFrame::Push(std::int64_t time, std::uint64_t counts, EvalContext& context) {
  back_.times.push_back(time);
  back_.counts.push_back(counts);
  back_.args.resize(back_.args.size() + calls_->args);
  Value* args = back_.args.data() + back_.args.size() - calls_->args;
  ForEachCall(*calls_, counts, [&](std::size_t i, std::size_t at) {
    const AggregateCall& call = calls_->calls[i];
    for (std::size_t a = 0; a < call.args.size(); ++a) args[at + a] = *call.values()[a];
    call.aggregate->Add(back_joint_[i], call.values(), time, context);
  });
  CountRow(back_);
  ++size_;
  newest_ = time;
  if (back_.size() == kSegment) Seal(context);
}

// The back becomes the last segment of the middle.
void SlidingFrame::Seal(EvalContext& context) {
  Middle middle;
  middle.rows = std::exchange(back_, {});
  middle.joint = std::exchange(back_joint_, std::vector<Slot>(calls_->size()));
  AddMiddle(std::move(middle), context);
}

void SlidingFrame::AddMiddle(Middle middle, EvalContext& context) {
  middle.number = next_number_++;
  middle.size = middle.rows.size();
  middle.oldest = middle.rows.times.front();
  middle.slot_bytes = sizeof(Middle) + SlotBytes(middle.joint);
  middle_bytes_ += middle.rows.bytes + middle.slot_bytes;
  MergeInto(middle_joint_, middle.joint.data(), context);
  middle_.push_back(std::move(middle));
}

std::int64_t SlidingFrame::oldest() const {
  if (front_at_ < front_.size()) return front_.times[front_at_];
  return middle_.empty() ? back_.times.front() : middle_.front().oldest;
}

void SlidingFrame::PopFront(SpillArea& area, const std::string& prefix, EvalContext& context) {
  if (front_at_ == front_.size()) FillFront(area, prefix, context);
  if (front_at_ == front_.size()) return;  // the spill failed
  for (std::size_t i = 0; i < calls_->size(); ++i) front_joint_[front_at_ * calls_->size() + i].heavy.reset();
  ++front_at_;
  --size_;
}

void SlidingFrame::FillFront(SpillArea& area, const std::string& prefix, EvalContext& context) {
  front_.Clear();
  front_at_ = 0;
  if (middle_.empty()) {
    std::swap(front_, back_);
    for (Slot& slot : back_joint_) slot = Slot();
  } else {
    if (middle_flipped_ == 0) FlipMiddle(context);
    Middle& first = middle_.front();
    middle_bytes_ -= first.rows.bytes + first.slot_bytes;
    if (first.stored) {
      if (!LoadStored(first, area, prefix, front_)) return;
      area.Erase({KeyOf(prefix, first.number)});
      --stored_;
    } else {
      front_ = std::move(first.rows);
    }
    middle_.pop_front();
    --middle_flipped_;
  }
  BuildFront(context);
}

void SlidingFrame::BuildFront(EvalContext& context) {
  const std::size_t width = calls_->size();
  front_joint_.clear();
  front_joint_.resize(front_.size() * width);
  for (std::size_t row = front_.size(); row-- > 0;) {
    Slot* joint = front_joint_.data() + row * width;
    AddRow(front_, row, joint, context);
    if (row + 1 < front_.size()) MergeInto(joint, joint + width, context);
  }
  front_slot_bytes_ = SlotBytes(front_joint_);
}

void SlidingFrame::FlipMiddle(EvalContext& context) {
  for (std::size_t i = middle_.size(); i-- > 0;) {
    Middle& middle = middle_[i];
    middle.joint_behind = std::vector<Slot>(calls_->size());
    MergeInto(middle.joint_behind.data(), middle.joint.data(), context);
    if (i + 1 < middle_.size())
      MergeInto(middle.joint_behind.data(), middle_[i + 1].joint_behind.data(), context);
    const std::size_t bytes = SlotBytes(middle.joint_behind);
    middle.slot_bytes += bytes;
    middle_bytes_ += bytes;
  }
  middle_flipped_ = middle_.size();
  middle_joint_.clear();
}

void SlidingFrame::Result(std::size_t call, Value& out, EvalContext& context) const {
  const Aggregate& aggregate = *calls_->calls[call].aggregate;
  const bool has_front = front_at_ < front_.size();
  if (!has_front && middle_.empty()) return aggregate.Result(back_joint_[call], out);
  Slot joint;
  if (has_front) aggregate.Merge(joint, front_joint_[front_at_ * calls_->size() + call], context);
  if (middle_flipped_ > 0) aggregate.Merge(joint, middle_.front().joint_behind[call], context);
  if (!middle_joint_.empty()) aggregate.Merge(joint, middle_joint_[call], context);
  aggregate.Merge(joint, back_joint_[call], context);
  aggregate.Result(joint, out);
}

std::string SlidingFrame::KeyOf(const std::string& prefix, std::uint64_t number) const {
  std::string key = prefix;
  AppendOrdered(static_cast<std::int64_t>(number), key);
  return key;
}

void SlidingFrame::PutRows(const Segment& segment, std::size_t from, StateWriter& out) const {
  out.U64(segment.size() - from);
  for (std::size_t row = from; row < segment.size(); ++row) {
    out.I64(segment.times[row]);
    out.U64(segment.counts[row]);
    const Value* args = segment.args.data() + row * calls_->args;
    ForEachCall(*calls_, segment.counts[row], [&](std::size_t i, std::size_t at) {
      for (std::size_t a = 0; a < calls_->calls[i].args.size(); ++a) out.Put(args[at + a]);
    });
  }
}

void SlidingFrame::TakeRows(Segment& segment, std::uint64_t count, StateReader& in) const {
  segment.Clear();
  for (; count > 0 && in.ok(); --count) {
    segment.times.push_back(in.I64());
    segment.counts.push_back(in.U64());
    segment.args.resize(segment.args.size() + calls_->args);
    Value* args = segment.args.data() + segment.args.size() - calls_->args;
    ForEachCall(*calls_, segment.counts.back(), [&](std::size_t i, std::size_t at) {
      for (std::size_t a = 0; a < calls_->calls[i].args.size(); ++a) in.Take(args[at + a]);
    });
    CountRow(segment);
  }
}

void SlidingFrame::SaveSlots(const std::vector<Slot>& slots, StateWriter& out) const {
  for (std::size_t i = 0; i < calls_->size(); ++i) calls_->calls[i].aggregate->Save(slots[i], out);
}

void SlidingFrame::LoadSlots(std::vector<Slot>& slots, StateReader& in) const {
  slots = std::vector<Slot>(calls_->size());
  for (std::size_t i = 0; i < calls_->size(); ++i) calls_->calls[i].aggregate->Load(slots[i], in);
}

bool SlidingFrame::Store(SpillArea& area, const std::string& prefix) {
  constexpr std::size_t kBatch = 64;  // segments
  std::vector<StateSpill::Entry> batch;
  std::vector<Middle*> given;
  const auto write = [&] {
    if (given.empty()) return true;
    if (!area.Put(batch)) return false;
    for (Middle* middle : given) {
      middle_bytes_ -= middle->rows.bytes;
      middle->rows = {};
      middle->stored = true;
      ++stored_;
    }
    given.clear();
    return true;
  };
  for (Middle& middle : middle_) {
    if (middle.stored) continue;
    std::string rows;
    StateWriter out(rows);
    PutRows(middle.rows, 0, out);
    batch.emplace_back(KeyOf(prefix, middle.number), std::move(rows));
    given.push_back(&middle);
    if (given.size() == kBatch && !write()) return false;
  }
  return write();
}

bool SlidingFrame::LoadStored(const Middle& middle, SpillArea& area, const std::string& prefix,
                              Segment& rows) const {
  const std::optional<std::string> found = area.Get(KeyOf(prefix, middle.number));
  if (found.has_value()) {
    StateReader in(*found);
    TakeRows(rows, in.Count(16), in);
    if (in.ok() && in.AtEnd() && rows.size() == middle.size) return true;
  }
  area.Fail(Error(ErrorCode::kCorrupt, "a spilled part of a sliding window is damaged"));
  return false;
}

// front, segments of the middle (number, size, oldest, joint), how many are flipped, back
void SlidingFrame::SaveRest(StateWriter& out) const {
  out.I64(newest_);
  out.U64(next_number_);
  PutRows(front_, front_at_, out);
  out.U64(middle_.size());
  for (const Middle& middle : middle_) {
    out.U64(middle.number);
    out.U64(middle.size);
    out.I64(middle.oldest);
    SaveSlots(middle.joint, out);
  }
  out.U64(middle_flipped_);
  PutRows(back_, 0, out);
}

void SlidingFrame::LoadRest(StateReader& in, EvalContext& context) {
  newest_ = in.I64();
  next_number_ = in.U64();
  TakeRows(front_, in.Count(16), in);
  size_ = front_.size();
  std::vector<Middle> loaded(in.Count(24));
  for (Middle& middle : loaded) {
    middle.number = in.U64();
    middle.size = in.U64();
    middle.oldest = in.I64();
    middle.stored = true;
    LoadSlots(middle.joint, in);
    middle.slot_bytes = sizeof(Middle) + SlotBytes(middle.joint);
    middle_bytes_ += middle.slot_bytes;
    size_ += middle.size;
  }
  stored_ = loaded.size();
  const std::uint64_t flipped = in.U64();
  if (flipped > loaded.size()) return in.Fail();
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    if (i == flipped && i > 0) FlipMiddle(context);
    middle_.push_back(std::move(loaded[i]));
    if (i >= flipped) MergeInto(middle_joint_, middle_.back().joint.data(), context);
  }
  if (flipped > 0 && flipped == middle_.size()) FlipMiddle(context);
  const std::uint64_t behind = in.Count(16);
  TakeRows(back_, behind, in);
  size_ += back_.size();
  if (!in.ok()) return;
  BuildFront(context);
  for (std::size_t row = 0; row < back_.size(); ++row) AddRow(back_, row, back_joint_.data(), context);
}

// newest, front, segments of the middle, how many are flipped, back
void SlidingFrame::Save(SpillArea& area, const std::string& prefix, StateWriter& out) const {
  out.I64(newest_);
  PutRows(front_, front_at_, out);
  out.U64(middle_.size());
  for (const Middle& middle : middle_) {
    Segment rows;
    if (middle.stored && !LoadStored(middle, area, prefix, rows)) return;
    PutRows(middle.stored ? rows : middle.rows, 0, out);
  }
  out.U64(middle_flipped_);
  PutRows(back_, 0, out);
}

void SlidingFrame::Load(StateReader& in, EvalContext& context) {
  newest_ = in.I64();
  TakeRows(front_, in.Count(16), in);
  size_ = front_.size();
  for (std::uint64_t left = in.Count(8); left > 0 && in.ok(); --left) {
    Middle middle;
    TakeRows(middle.rows, in.Count(16), in);
    if (!in.ok() || middle.rows.size() == 0) return in.Fail();
    middle.joint = std::vector<Slot>(calls_->size());
    for (std::size_t row = 0; row < middle.rows.size(); ++row)
      AddRow(middle.rows, row, middle.joint.data(), context);
    size_ += middle.rows.size();
    AddMiddle(std::move(middle), context);
  }
  const std::uint64_t flipped = in.U64();
  if (flipped > middle_.size()) return in.Fail();
  if (flipped > 0) {  // as if those behind the bar had come later
    std::vector<Middle> later;
    for (; middle_.size() > flipped; middle_.pop_back()) later.push_back(std::move(middle_.back()));
    FlipMiddle(context);
    for (; !later.empty(); later.pop_back()) {
      MergeInto(middle_joint_, later.back().joint.data(), context);
      middle_.push_back(std::move(later.back()));
    }
  }
  TakeRows(back_, in.Count(16), in);
  size_ += back_.size();
  if (!in.ok()) return;
  BuildFront(context);
  for (std::size_t row = 0; row < back_.size(); ++row) AddRow(back_, row, back_joint_.data(), context);
}

}  // namespace honryu::sql
