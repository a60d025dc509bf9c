#pragma once

#include "search/index/segment_builder.h"
#include "search/segment/segment.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace honryu::search {

/// The bytes of a segment of JSON documents, from shard "s" with sequence numbers from `first` on; event time
/// is the field "time", or else the sequence number.
inline std::string SegmentBytes(Mapping& mapping, const std::vector<std::string>& documents,
                                std::uint64_t first = 0) {
  SegmentBuilder builder(mapping);
  DocumentParser parser;
  const std::vector<std::string> time_fields{"time"};
  for (std::size_t i = 0; i < documents.size(); ++i) {
    auto object = parser.Parse(documents[i]);
    EXPECT_TRUE(object.ok()) << documents[i];
    if (!object.ok()) continue;
    const DocumentKey key{"s", first + i, 0, {}};
    builder.Add(documents[i], *object, key,
                EventTime(*object, time_fields).value_or(static_cast<std::int64_t>(first + i)));
  }
  return builder.Finish();
}

inline std::shared_ptr<const Segment> OpenSegment(std::string bytes) {
  auto segment = Segment::Open(Bytes(std::move(bytes)), Checking::kNow);
  EXPECT_TRUE(segment.ok()) << (segment.ok() ? "" : segment.error().ToString());
  return segment.ok() ? *segment : nullptr;
}

inline std::shared_ptr<const Segment> BuildSegment(Mapping& mapping,
                                                   const std::vector<std::string>& documents,
                                                   std::uint64_t first = 0) {
  return OpenSegment(SegmentBytes(mapping, documents, first));
}

}  // namespace honryu::search
