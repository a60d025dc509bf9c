#pragma once

#include "honryu/consumer/opening.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace honryu::consumer {

enum class SplitOutcome : std::uint8_t {
  kWhole,    ///< Stays as it is; nothing was added.
  kSplit,    ///< Its parts were added (none for an empty array).
  kTooMany,  ///< More than `most` parts.
  kBroken,   ///< An array was expected, and it is none.
};

/// Appends the lines or array elements of `data`, which share its memory, as `lines` and `arrays` of the
/// configuration say. After kTooMany and kBroken `out` holds parts that must be thrown away.
SplitOutcome SplitJson(const Bytes& data, const OpeningConfig& config, std::size_t most,
                       std::vector<Bytes>& out);
/// Cheap: false when SplitJson would surely leave it as it is.
bool MayNeedSplitting(BytesView data, const OpeningConfig& config);

}  // namespace honryu::consumer
