#include "sql/group_store.h"

namespace honryu::sql {

void GroupStore::PutGroup(const GroupTable::Group& group, const Slot* slots, StateWriter& out) const {
  out.I64(group.touched);
  out.U64(group.revision);
  out.U8(static_cast<std::uint8_t>((group.dirty ? 1 : 0) | (group.emitted ? 2 : 0)));
  for (std::size_t i = 0; i < calls_->size(); ++i) (*calls_)[i].aggregate->Save(slots[i], out);
}

void GroupStore::TakeGroup(GroupTable::Group& group, Slot* slots, StateReader& in) const {
  group.touched = in.I64();
  group.revision = static_cast<std::uint32_t>(in.U64());
  const std::uint8_t flags = in.U8();
  group.dirty = (flags & 1) != 0;
  group.emitted = (flags & 2) != 0;
  for (std::size_t i = 0; i < calls_->size(); ++i) (*calls_)[i].aggregate->Load(slots[i], in);
}

std::string GroupStore::Encode(const GroupTable::Group& group, const Slot* slots) const {
  std::string bytes;
  StateWriter out(bytes);
  PutGroup(group, slots, out);
  return bytes;
}

bool GroupStore::Decode(std::string_view bytes, GroupTable::Group& group, Slot* slots) const {
  StateReader in(bytes);
  TakeGroup(group, slots, in);
  if (in.ok() && in.AtEnd()) return true;
  runtime_->Fail(Error(ErrorCode::kCorrupt, "a spilled group is damaged"));
  return false;
}

std::vector<std::size_t> GroupStore::ByKey() const {
  std::vector<std::size_t> numbers(groups_.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  std::sort(numbers.begin(), numbers.end(),
            [&](std::size_t a, std::size_t b) { return groups_.key(a) < groups_.key(b); });
  return numbers;
}

std::optional<std::size_t> GroupStore::Take(std::string_view key, bool room) {
  if (spilled_ == 0 && room) [[likely]] {
    const std::size_t before = groups_.size();
    const std::size_t number = groups_.FindOrAdd(key);
    if (groups_.size() > before && area_->bounded()) area_->Grow(groups_.BytesOf(number));
    return number;
  }
  if (const auto known = groups_.Find(key)) return known;
  std::optional<std::string> stored;
  if (spilled() > 0) stored = area_->Get(prefix_ + std::string(key));
  if (!stored.has_value() && !room) return {};
  const std::size_t number = groups_.FindOrAdd(key);
  if (stored.has_value()) {
    ++stale_;
    Decode(*stored, groups_.group(number), groups_.slots(number));
    groups_.group(number).stored = true;
  }
  if (area_->bounded()) area_->Grow(groups_.BytesOf(number));
  return number;
}

void GroupStore::Save(StateWriter& out) const {
  out.U64(size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    out.Text(groups_.key(i));
    PutGroup(groups_.group(i), groups_.slots(i), out);
  }
  if (spilled_ == 0) return;
  area_->Scan(prefix_, [&](std::string_view key, std::string_view value) {
    key.remove_prefix(prefix_.size());
    if (groups_.Find(key).has_value()) return true;
    out.Text(key);
    out.Raw(value);
    return true;
  });
}

void GroupStore::Evict(std::size_t target, bool cold_only) {
  constexpr std::size_t kBatchBytes = 1 << 20;
  std::vector<bool> kept(groups_.size(), true);
  std::vector<StateSpill::Entry> batch;
  std::vector<std::size_t> numbers;  // of the batch
  std::size_t batch_bytes = 0, freed = 0;
  bool room = true;
  const auto write = [&] {
    batch_bytes = 0;
    room = batch.empty() || area_->Put(batch);
    for (const std::size_t number : numbers) {
      if (!room) break;
      kept[number] = false;
      freed += groups_.BytesOf(number);
      if (groups_.group(number).stored) {
        --stale_;
      } else {
        ++spilled_;
      }
    }
    numbers.clear();
    batch.clear();
  };
  for (std::size_t i = 0; i < kept.size() && room && area_->bytes() > target + freed; ++i) {
    GroupTable::Group& group = groups_.group(i);
    if (cold_only && std::exchange(group.hot, false)) continue;
    batch.emplace_back(prefix_ + std::string(groups_.key(i)), Encode(group, groups_.slots(i)));
    batch_bytes += batch.back().first.size() + batch.back().second.size();
    numbers.push_back(i);
    if (batch_bytes >= kBatchBytes) write();
  }
  if (room) write();
  if (freed == 0) return;
  groups_.Keep(kept);
  area_->Shrink(freed);
}

void GroupStore::Expire(std::int64_t time) {
  std::vector<bool> kept(groups_.size());
  std::vector<std::string> erased;
  if (spilled() > 0) {
    VisitSpilled([&](std::string_view key, const GroupTable::Group& group, const Slot*) {
      if (group.touched < time) erased.push_back(prefix_ + std::string(key));
      return false;
    });
  }
  std::size_t freed = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const GroupTable::Group& group = groups_.group(i);
    kept[i] = group.touched >= time;
    if (kept[i]) continue;
    if (area_->bounded()) freed += groups_.BytesOf(i);
    if (!group.stored) continue;
    --stale_;
    erased.push_back(prefix_ + std::string(groups_.key(i)));
  }
  spilled_ -= erased.size();
  area_->Erase(erased);
  groups_.Keep(kept);
  area_->Shrink(freed);
}

void GroupStore::Clear() {
  if (spilled_ > 0) area_->ErasePrefix(prefix_);
  spilled_ = stale_ = 0;
  std::size_t freed = 0;
  for (std::size_t i = 0; i < groups_.size() && area_->bounded(); ++i) freed += groups_.BytesOf(i);
  area_->Shrink(freed);
  groups_ = GroupTable(calls_->size());
}

}  // namespace honryu::sql
