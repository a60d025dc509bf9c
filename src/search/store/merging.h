#pragma once

#include "search/store/store_impl.h"

#include <memory>
#include <string>
#include <vector>

namespace honryu::search {

/// Segments of one size class (a factor of eight) that are merged at once on disk: a document is rewritten
/// once for each class that it climbs.
inline constexpr std::size_t kDiskMergeFactor = 8;
/// In memory more of them may wait: the flush merges all of them anyway, and under load comes before so many.
inline constexpr std::size_t kMemoryMergeFactor = 24;
/// The `factor` entries to merge next: those of the smallest size class that has so many, as long as they
/// fit.
std::vector<Entry> PickMerge(std::vector<Entry> entries, std::uint32_t max_docs, std::size_t factor);
/// Their segment without what is deleted; at least one document must live.
Result<std::string> Merge(const std::vector<Entry>& entries, bool pack_terms = true);
std::uint64_t CountLiving(const std::vector<Entry>& entries);
std::int64_t NewestSeal(const std::vector<Entry>& entries);
std::vector<std::shared_ptr<const Segment>> SegmentsOf(const std::vector<Entry>& entries);

}  // namespace honryu::search
