#include "sql/top_counter.h"

#include <algorithm>

namespace honryu::sql {

void TopCounter::Add(std::string_view item, std::int64_t count) {
  const auto found = counts_.find(item);
  if (found != counts_.end()) {
    found->second += count;
    return;
  }
  counts_.emplace(item, count);
  text_bytes_ += item.size();
  if (counts_.size() <= 2 * kExact) return;
  std::vector<std::pair<std::string, std::int64_t>> kept = Best(kExact);
  counts_.clear();
  text_bytes_ = 0;
  for (auto& [text, number] : kept) {
    text_bytes_ += text.size();
    counts_.emplace(std::move(text), number);
  }
}

void TopCounter::Merge(const TopCounter& other) {
  if (counts_.size() + other.counts_.size() <= 2 * kExact) {
    for (const auto& [item, count] : other.counts_) Add(item, count);
    return;
  }
  // What is forgotten on the way is not to depend on the table.
  for (const auto& [item, count] : other.Best(other.counts_.size())) Add(item, count);
}

std::vector<std::pair<std::string, std::int64_t>> TopCounter::Best(std::size_t most) const {
  std::vector<std::pair<std::string, std::int64_t>> all(counts_.begin(), counts_.end());
  const std::size_t count = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    [](const auto& a, const auto& b) {
                      return a.second != b.second ? a.second > b.second : a.first < b.first;
                    });
  all.resize(count);
  return all;
}

void TopCounter::Save(StateWriter& out) const {
  out.U64(counts_.size());
  for (const auto& [item, count] : Best(counts_.size())) {  // in an order that does not depend on the table
    out.Text(item);
    out.I64(count);
  }
}

void TopCounter::Load(StateReader& in) {
  counts_.clear();
  text_bytes_ = 0;
  for (std::uint64_t left = in.Count(16); left > 0; --left) {
    const std::string_view item = in.Text();
    Add(item, in.I64());
  }
}

}  // namespace honryu::sql
