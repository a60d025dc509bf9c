#include "sql/group_table.h"

#include "honryu/base/crc32c.h"

namespace honryu::sql {

std::string_view GroupTable::key(std::size_t group) const {
  const std::size_t start = groups_[group].key_start;
  const std::size_t end = group + 1 < groups_.size() ? groups_[group + 1].key_start : keys_.size();
  return std::string_view(keys_).substr(start, end - start);
}

std::size_t GroupTable::FindOrAdd(std::string_view key) {
  if ((groups_.size() + 1) * 2 > index_.size()) Grow();
  const auto hash = static_cast<std::uint32_t>(Hash64(key));
  const std::size_t mask = index_.size() - 1;
  std::size_t place = hash & mask;
  for (; index_[place] != 0; place = (place + 1) & mask) {
    const std::size_t group = index_[place] - 1;
    if (groups_[group].hash == hash && this->key(group) == key) return group;
  }
  Group group;
  group.key_start = keys_.size();
  group.hash = hash;
  groups_.push_back(group);
  keys_ += key;
  slots_.resize(slots_.size() + width_);
  index_[place] = static_cast<std::uint32_t>(groups_.size());
  return groups_.size() - 1;
}

void GroupTable::Grow() {
  index_.assign(index_.empty() ? 16 : index_.size() * 2, 0);
  const std::size_t mask = index_.size() - 1;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    std::size_t place = groups_[group].hash & mask;
    while (index_[place] != 0) place = (place + 1) & mask;
    index_[place] = static_cast<std::uint32_t>(group + 1);
  }
}

std::optional<std::size_t> GroupTable::Find(std::string_view key) const {
  if (index_.empty()) return {};
  const auto hash = static_cast<std::uint32_t>(Hash64(key));
  const std::size_t mask = index_.size() - 1;
  for (std::size_t place = hash & mask; index_[place] != 0; place = (place + 1) & mask) {
    const std::size_t group = index_[place] - 1;
    if (groups_[group].hash == hash && this->key(group) == key) return group;
  }
  return {};
}

void GroupTable::Keep(const std::vector<bool>& kept) {
  GroupTable table(width_);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (!kept[i]) continue;
    const std::size_t group = table.FindOrAdd(key(i));
    const std::uint64_t start = table.groups_[group].key_start;
    table.groups_[group] = groups_[i];
    table.groups_[group].key_start = start;
    for (std::size_t s = 0; s < width_; ++s)
      table.slots_[group * width_ + s] = std::move(slots_[i * width_ + s]);
  }
  *this = std::move(table);
}

std::size_t GroupTable::Bytes() const {
  std::size_t bytes = keys_.capacity() + groups_.capacity() * sizeof(Group) +
                      slots_.capacity() * sizeof(Slot) + index_.capacity() * sizeof(std::uint32_t);
  for (const Slot& slot : slots_) bytes += slot.heavy ? slot.heavy->Bytes() : 0;
  return bytes;
}

}  // namespace honryu::sql
