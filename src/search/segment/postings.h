#pragma once

#include "honryu/base/bytes.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace honryu::search {

/// A posting list: rising targets (documents, or ordinals of a keyword dictionary), with positions for text.
/// Its length stands in the dictionary.
///
///   up to 128 targets: [positions: varint bytes of targets] varints of differences | position stream
///   more: per block of 128 (the last may be shorter): u32 last target, u32 end of targets, u32 begin of
///   positions;
///         u32 bytes of targets; blocks: u8 bits, packed differences (minus one) | position stream
///   position stream, per target: varint (first position << 1 | several), several: varint count, varint
///   differences
inline constexpr std::size_t kPostingsBlock = 128;

/// Appends one list. `targets` rises strictly; `positions` is the ready position stream and `position_starts`
/// says where each target's part begins in it; both empty without positions.
void AppendPostings(std::span<const std::uint32_t> targets, BytesView positions,
                    std::span<const std::uint32_t> position_starts, std::string& out);
/// Appends one target's positions (rising, at least one).
void AppendPositions(std::span<const std::uint32_t> positions, std::string& out);

/// Walks one list. Corrupt bytes end the walk early; nothing is read outside the list.
class PostingsCursor {
 public:
  PostingsCursor(BytesView list, std::uint32_t count, bool with_positions);
  /// A list of one target, with position 0.
  static PostingsCursor Of(std::uint32_t target);

  /// To the next target; false at the end.
  bool Next();
  /// To the first target >= `target` (never backwards); false when there is none.
  bool SeekTo(std::uint32_t target);
  std::uint32_t target() const { return block_[at_]; }
  std::uint32_t count() const { return count_; }
  /// Positions of the current target.
  void Positions(std::vector<std::uint32_t>& out);
  /// Number of positions of the current target.
  std::uint32_t Frequency();
  /// The current target's part of the position stream, as it is stored. Once a target, and instead of
  /// Positions and Frequency.
  BytesView TakeRawPositions();

 private:
  PostingsCursor() = default;
  bool LoadBlock(std::size_t block);
  bool SkipPositions();

  BytesView targets_, positions_, table_;
  std::uint32_t count_ = 0;
  std::size_t blocks_ = 0, next_block_ = 0;
  std::array<std::uint32_t, kPostingsBlock> block_;
  std::size_t size_ = 0, at_ = 0;
  bool started_ = false;
  bool single_ = false;  // see Of
  BytesView stream_;     // from the positions of target stream_at_ of the block
  std::size_t stream_at_ = 0;
};

}  // namespace honryu::search
