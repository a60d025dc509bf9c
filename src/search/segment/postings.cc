#include "search/segment/postings.h"

#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"
#include "search/segment/byte_reader.h"
#include "search/segment/packed_ints.h"

#include <algorithm>
#include <bit>

namespace honryu::search {
namespace {

constexpr std::size_t kTableEntry = 12;
constexpr std::size_t kPad = 8;  // what UnpackBit may read behind the last value

/// Takes one target's positions off the stream; calls visit(position) for each. False when it is broken.
template <class Visit>
bool TakePositions(BytesView* stream, Visit&& visit) {
  std::uint64_t head, count = 1, position;
  if (!stream->empty() && (stream->front() & 0x81) == 0) {  // one position, in one byte
    visit(static_cast<std::uint64_t>(stream->front()) >> 1);
    stream->remove_prefix(1);
    return true;
  }
  if (!codec::TakeVarint(stream, &head)) return false;
  if ((head & 1) != 0 && !codec::TakeVarint(stream, &count)) return false;
  position = head >> 1;
  visit(position);
  for (std::uint64_t i = 1; i < count; ++i) {
    std::uint64_t step;
    if (!codec::TakeVarint(stream, &step)) return false;
    position += step;
    visit(position);
  }
  return true;
}

/// Takes up to `targets` targets off the stream, while they have a single position each and eight bytes are
/// left; returns how many.
std::size_t SkipSinglePositions(BytesView* stream, std::size_t targets) {
  constexpr std::uint64_t kLow = 0x0101010101010101ULL, kHigh = kLow << 7;
  const char* at = stream->data();
  const char* const end = at + stream->size();
  std::size_t left = targets;
  while (left > 0 && end - at >= 8) {
    // A varint ends with a byte below 0x80; the first byte of each says by its lowest bit whether there are
    // several positions.
    const auto bytes = codec::LoadU64(at);
    auto ends = ~bytes & kHigh;
    const auto several = bytes & (ends << 1 | 1) & kLow;
    if (several != 0) ends &= (several & -several) - 1;  // only what ends before the first of these
    if (ends == 0) break;
    const auto count = static_cast<std::size_t>((ends >> 7) * kLow >> 56);
    if (count <= left) {
      at += (64 - std::countl_zero(ends)) / 8;
      left -= count;
      continue;
    }
    for (; left > 1; --left) ends &= ends - 1;
    at += (std::countr_zero(ends) + 1) / 8;
    left = 0;
  }
  stream->remove_prefix(static_cast<std::size_t>(at - stream->data()));
  return targets - left;
}

}  // namespace

void AppendPositions(std::span<const std::uint32_t> positions, std::string& out) {
  codec::AppendVarint(out, std::uint64_t{positions[0]} << 1 | (positions.size() > 1 ? 1 : 0));
  if (positions.size() == 1) return;
  codec::AppendVarint(out, positions.size());
  for (std::size_t i = 1; i < positions.size(); ++i)
    codec::AppendVarint(out, positions[i] - positions[i - 1]);
}

void AppendPostings(std::span<const std::uint32_t> targets, BytesView positions,
                    std::span<const std::uint32_t> position_starts, std::string& out) {
  const bool with_positions = !position_starts.empty();
  if (targets.size() == 1) {
    if (with_positions) codec::AppendVarint(out, codec::VarintSize(targets[0]));
    codec::AppendVarint(out, targets[0]);
    out.append(positions);
    return;
  }
  if (targets.size() <= kPostingsBlock) {
    std::size_t bytes = 0;
    std::uint32_t last = 0;
    for (const auto target : targets) bytes += codec::VarintSize(target - last), last = target;
    if (with_positions) codec::AppendVarint(out, bytes);
    last = 0;
    for (const auto target : targets) codec::AppendVarint(out, target - last), last = target;
    out.append(positions);
    return;
  }
  std::string data;
  std::array<std::uint64_t, kPostingsBlock> differences;
  std::int64_t last = -1;
  for (std::size_t begin = 0; begin < targets.size(); begin += kPostingsBlock) {
    const auto block = targets.subspan(begin, std::min(kPostingsBlock, targets.size() - begin));
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
      differences[i] = static_cast<std::uint64_t>(std::int64_t{block[i]} - last - 1);
      last = block[i];
      most |= differences[i];
    }
    const auto bits = BitsFor(most);
    data += static_cast<char>(bits);
    PackBits({differences.data(), block.size()}, bits, data);
    codec::AppendU32(out, block.back());
    codec::AppendU32(out, static_cast<std::uint32_t>(data.size()));
    codec::AppendU32(out, with_positions ? position_starts[begin] : 0);
  }
  codec::AppendU32(out, static_cast<std::uint32_t>(data.size()));
  out += data;
  out.append(positions);
}

PostingsCursor::PostingsCursor(BytesView list, std::uint32_t count, bool with_positions) : count_(count) {
  ByteReader in(list);
  if (count <= kPostingsBlock) {
    targets_ = with_positions ? in.String() : list;
    if (with_positions) positions_ = in.rest();
    blocks_ = count > 0 ? 1 : 0;
  } else {
    const std::size_t blocks = (count + kPostingsBlock - 1) / kPostingsBlock;
    table_ = in.View(blocks * kTableEntry);
    targets_ = in.View(in.U32());
    positions_ = in.rest();
    blocks_ = in.ok() ? blocks : 0;
  }
  if (!in.ok()) blocks_ = 0;
}

bool PostingsCursor::TakeOnly(BytesView list, std::uint32_t* target, BytesView* positions) {
  std::uint64_t bytes, only;
  if (!codec::TakeVarint(&list, &bytes) || bytes > list.size()) return false;
  BytesView targets = list.substr(0, bytes);
  *positions = list.substr(bytes);
  if (!codec::TakeVarint(&targets, &only) || only > UINT32_MAX) return false;
  *target = static_cast<std::uint32_t>(only);
  BytesView rest = *positions;
  if (!TakePositions(&rest, [](std::uint64_t) {})) return false;
  positions->remove_suffix(rest.size());
  return true;
}

PostingsCursor PostingsCursor::Of(std::uint32_t target) {
  PostingsCursor cursor;
  cursor.single_ = true;
  cursor.count_ = 1;
  cursor.blocks_ = 1;
  cursor.block_[0] = target;
  cursor.positions_ = BytesView("\0", 1);
  return cursor;
}

bool PostingsCursor::LoadBlock(std::size_t block) {
  size_ = at_ = stream_at_ = 0;
  next_block_ = block + 1;
  if (block >= blocks_) {
    next_block_ = blocks_;
    return false;
  }
  if (single_) {
    stream_ = positions_;
    size_ = 1;
    return true;
  }
  if (table_.empty()) {
    stream_ = positions_;
    BytesView left = targets_;
    std::uint64_t last = 0, step;
    for (; size_ < count_; ++size_) {
      if (!codec::TakeVarint(&left, &step)) break;
      last += step;
      if (last > UINT32_MAX || (size_ > 0 && step == 0)) break;
      block_[size_] = static_cast<std::uint32_t>(last);
    }
    if (size_ < count_) blocks_ = 0;
    return size_ > 0;
  }
  const char* entry = table_.data() + block * kTableEntry;
  std::uint64_t begin = 0;
  std::int64_t last = -1;
  if (block > 0) {
    begin = codec::LoadU32(entry - kTableEntry + 4);
    last = codec::LoadU32(entry - kTableEntry);
  }
  const std::uint64_t end = codec::LoadU32(entry + 4), stream = codec::LoadU32(entry + 8);
  const std::size_t count = std::min<std::size_t>(kPostingsBlock, count_ - block * kPostingsBlock);
  const bool whole = begin < end && end <= targets_.size() && stream <= positions_.size();
  const unsigned bits = whole ? static_cast<std::uint8_t>(targets_[begin]) : 255;
  if (bits > 32 || (count * bits + 7) / 8 != end - begin - 1) {
    blocks_ = next_block_ = 0;
    return false;
  }
  // Eight bytes are loaded anywhere: the list's last ones are copied.
  std::array<char, kPostingsBlock * 4 + kPad> copied;
  const char* packed = targets_.data() + begin + 1;
  if (end + kPad > targets_.size()) {
    std::copy_n(packed, end - begin - 1, copied.data());
    packed = copied.data();
  }
  UnpackBits(packed, count, bits, [&last, out = block_.data()](std::size_t i, std::uint64_t difference) {
    last += 1 + static_cast<std::int64_t>(difference);
    out[i] = static_cast<std::uint32_t>(last);
  });
  size_ = count;
  if (last > UINT32_MAX) {
    size_ = blocks_ = next_block_ = 0;
    return false;
  }
  stream_ = positions_.substr(stream);
  return size_ > 0;
}

bool PostingsCursor::Next() {
  if (started_ && at_ + 1 < size_) {
    ++at_;
    return true;
  }
  started_ = true;
  return LoadBlock(next_block_);
}

bool PostingsCursor::NextBlock() {
  started_ = true;
  return LoadBlock(next_block_);
}

bool PostingsCursor::SeekTo(std::uint32_t target) {
  if (!started_ && !Next()) return false;
  if (size_ == 0) return false;
  if (block_[size_ - 1] < target) {
    auto block = next_block_;
    if (!table_.empty()) {
      const auto last_of = [this](std::size_t b) { return codec::LoadU32(table_.data() + b * kTableEntry); };
      std::size_t low = block, step = 1;  // mostly one of the next blocks has it
      while (low + step < blocks_ && last_of(low + step - 1) < target) low += step, step *= 2;
      std::size_t high = std::min(low + step, blocks_);
      while (low < high) {
        const auto middle = low + (high - low) / 2;
        if (last_of(middle) < target)
          low = middle + 1;
        else
          high = middle;
      }
      block = low;
    }
    if (!LoadBlock(block)) return false;
    if (block_[size_ - 1] < target) return size_ = 0, false;
  }
  // Mostly the target is near: sixteens are passed over, and in one the smaller ones are counted, which takes
  // no branches that could be mispredicted. The last target of the block is known to be large enough.
  constexpr std::size_t kStep = 16;
  const std::uint32_t* const targets = block_.data();
  if (targets[at_] >= target) return true;
  std::size_t at = at_;
  while (at + kStep < size_ && targets[at + kStep - 1] < target) at += kStep;
  if (size_ < kStep) {
    while (targets[at] < target) ++at;
  } else {
    at = std::min(at, size_ - kStep);  // what stands before is smaller
    std::size_t smaller = 0;
    for (std::size_t i = 0; i < kStep; ++i) smaller += targets[at + i] < target ? 1 : 0;
    at += smaller;
  }
  at_ = at;
  return true;
}

bool PostingsCursor::SkipPositions() {
  while (stream_at_ < at_) {
    stream_at_ += SkipSinglePositions(&stream_, at_ - stream_at_);
    if (stream_at_ == at_) break;
    if (!TakePositions(&stream_, [](std::uint64_t) {})) {
      stream_ = {};
      stream_at_ = at_;
      return false;
    }
    ++stream_at_;
  }
  return true;
}

void PostingsCursor::Positions(std::vector<std::uint32_t>& out) {
  out.clear();
  if (!SkipPositions()) return;
  BytesView stream = stream_;
  TakePositions(&stream, [&out](std::uint64_t p) { out.push_back(static_cast<std::uint32_t>(p)); });
}

void PostingsCursor::KeepFollowed(std::uint32_t offset, std::vector<std::uint32_t>& starts) {
  std::size_t at = 0, kept = 0;
  if (SkipPositions()) {
    BytesView stream = stream_;
    TakePositions(&stream, [&](std::uint64_t position) {
      while (at < starts.size() && std::uint64_t{starts[at]} + offset < position) ++at;
      if (at < starts.size() && std::uint64_t{starts[at]} + offset == position) starts[kept++] = starts[at++];
    });
  }
  starts.resize(kept);
}

std::uint32_t PostingsCursor::Frequency() {
  if (!SkipPositions()) return 0;
  BytesView stream = stream_;
  std::uint64_t head, count = 1;
  if (!codec::TakeVarint(&stream, &head)) return 0;
  if ((head & 1) != 0 && !codec::TakeVarint(&stream, &count)) return 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, UINT32_MAX));
}

BytesView PostingsCursor::TakeRawPositions() {
  if (!SkipPositions()) return {};
  const BytesView stream = stream_;
  if (!TakePositions(&stream_, [](std::uint64_t) {})) {
    stream_ = {};
    return {};
  }
  stream_at_ = at_ + 1;
  return stream.substr(0, stream.size() - stream_.size());
}

}  // namespace honryu::search
