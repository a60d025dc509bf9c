#pragma once

#include "search/store/store_impl.h"

#include <memory>
#include <string>
#include <vector>

namespace honryu::search {

/// The entries to merge next: those of the smallest size class that has enough, as long as they fit.
std::vector<Entry> PickMerge(std::vector<Entry> entries, std::uint32_t max_docs);
/// Their segment without what is deleted; at least one document must live.
Result<std::string> Merge(const std::vector<Entry>& entries);
std::uint64_t CountLiving(const std::vector<Entry>& entries);
std::int64_t NewestSeal(const std::vector<Entry>& entries);
std::vector<std::shared_ptr<const Segment>> SegmentsOf(const std::vector<Entry>& entries);

}  // namespace honryu::search
