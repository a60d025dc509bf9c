#include "search/store/merging.h"

#include "search/index/segment_merger.h"

#include <algorithm>

namespace honryu::search {
namespace {

int SizeClass(std::uint32_t docs) {
  int size_class = 0;
  for (; docs >= 8; docs /= 8) ++size_class;
  return size_class;
}

}  // namespace

std::vector<Entry> PickMerge(std::vector<Entry> entries, std::uint32_t max_docs, std::size_t factor) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.living() < b.living(); });
  for (std::size_t begin = 0; begin < entries.size();) {
    const int size_class = SizeClass(entries[begin].living());
    auto end = begin;
    while (end < entries.size() && SizeClass(entries[end].living()) == size_class) ++end;
    std::vector<Entry> picked;
    std::uint64_t docs = 0;
    for (auto i = begin; i < end && picked.size() < factor; ++i) {
      docs += entries[i].living();
      if (docs > max_docs) break;
      picked.push_back(entries[i]);
    }
    if (picked.size() == factor) return picked;
    begin = end;
  }
  return {};
}

Result<std::string> Merge(const std::vector<Entry>& entries, bool pack_terms) {
  std::vector<MergeInput> inputs;
  for (const auto& entry : entries) {
    if (entry.living() == 0) continue;
    MergeInput input{entry.segment, {}};
    if (entry.deleted != nullptr) {
      input.keep.assign(entry.segment->doc_count(), true);
      entry.deleted->ForEach([&input](std::uint32_t doc) { input.keep[doc] = false; });
    }
    inputs.push_back(std::move(input));
  }
  // In the order of time, so that newest-first searches find the newest in the last blocks.
  std::sort(inputs.begin(), inputs.end(),
            [](const auto& a, const auto& b) { return a.segment->min_time() < b.segment->min_time(); });
  return MergeSegments(inputs, pack_terms);
}

std::uint64_t CountLiving(const std::vector<Entry>& entries) {
  std::uint64_t docs = 0;
  for (const auto& entry : entries) docs += entry.living();
  return docs;
}

std::int64_t NewestSeal(const std::vector<Entry>& entries) {
  std::int64_t newest = 0;
  for (const auto& entry : entries) newest = std::max(newest, entry.sealed_ms);
  return newest;
}

std::vector<std::shared_ptr<const Segment>> SegmentsOf(const std::vector<Entry>& entries) {
  std::vector<std::shared_ptr<const Segment>> segments;
  for (const auto& entry : entries) segments.push_back(entry.segment);
  return segments;
}

}  // namespace honryu::search
