#pragma once

#include "honryu/base/bytes.h"

#include <algorithm>
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
  /// A list of one target with positions: the target, and its part of the position stream. False when it does
  /// not hold together.
  static bool TakeOnly(BytesView list, std::uint32_t* target, BytesView* positions);
  PostingsCursor(BytesView list, std::uint32_t count, bool with_positions);
  /// A list of one target, with position 0.
  static PostingsCursor Of(std::uint32_t target);

  /// To the next target; false at the end.
  bool Next();
  /// To the first target >= `target` (never backwards); false when there is none.
  bool SeekTo(std::uint32_t target);
  /// The current target and those behind it in its block, at least one; valid until the cursor moves.
  std::span<const std::uint32_t> Rest() const { return std::span(block_).subspan(at_, size_ - at_); }
  /// To the first target of the next block; false at the end.
  bool NextBlock();
  std::uint32_t target() const { return block_[at_]; }
  std::uint32_t count() const { return count_; }
  /// Positions of the current target.
  void Positions(std::vector<std::uint32_t>& out);
  /// Keeps those of `starts` (rising) that have a position of the current target `offset` behind them.
  void KeepFollowed(std::uint32_t offset, std::vector<std::uint32_t>& starts);
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

/// Calls visit(target) for the targets of [begin, end), a block at a time. They rise strictly, even if the
/// list is corrupt.
template <class Visit>
void ForEachTarget(PostingsCursor cursor, std::uint32_t begin, std::uint32_t end, Visit&& visit) {
  for (bool more = cursor.SeekTo(begin); more; more = cursor.NextBlock()) {
    auto targets = cursor.Rest();
    if (targets.front() < begin) return;
    begin = targets.back() + 1;
    const bool last = targets.back() >= end;
    if (last)
      targets = targets.first(
          static_cast<std::size_t>(std::lower_bound(targets.begin(), targets.end(), end) - targets.begin()));
    for (const auto target : targets) visit(target);
    if (last) return;
  }
}

}  // namespace honryu::search
