#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace honryu::processors::indexer {

/// A shard as the store knows it: short, because it is part of the `_id` of documents that have none of their
/// own ("events.0.6920a3c1:1234"), and different for a stream that was deleted and made again.
struct ShardKey {
  std::string stream, shard_id;
  std::int64_t created_s = 0;

  /// "events.0.6920a3c1": stream, shard number (or its whole id when that has another form), creation in
  /// hexadecimal.
  std::string Text() const;
  /// None for a text that Text() does not give.
  static std::optional<ShardKey> Parse(std::string_view text);
};

}  // namespace honryu::processors::indexer
