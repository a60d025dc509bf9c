#pragma once

#include "search/index/field_buffer.h"
#include "search/segment/segment_file.h"

#include <string>

namespace honryu::search {

/// Number of positions left free between two values of one document, so that no phrase spans them.
inline constexpr std::uint32_t kPositionGap = 100;

/// Writes a field's columns, dictionaries and postings. `values` and `terms` are the arenas that hold its
/// strings.
void WriteField(const FieldBuffer& field, const std::string& values, const std::string& terms,
                std::uint32_t doc_count, SegmentFileWriter& file);

/// The first eight bytes as a number that orders like them.
std::uint64_t TextPrefix(BytesView text);

/// Adds the keyword sections of `field`: ordinals (with their documents, in order), terms in rising order,
/// postings by counting, documents with overlong values.
void WriteKeywords(std::uint32_t field, const std::vector<std::uint32_t>& docs,
                   const std::vector<std::int64_t>& ordinals, const std::vector<BytesView>& sorted_terms,
                   const std::vector<std::uint32_t>& overlong, std::uint32_t doc_count,
                   SegmentFileWriter& file);

}  // namespace honryu::search
