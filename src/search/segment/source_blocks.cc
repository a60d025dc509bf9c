#include "search/segment/source_blocks.h"

#include "honryu/codec/compression.h"
#include "honryu/codec/endian.h"
#include "search/segment/byte_reader.h"

namespace honryu::search {
namespace {

constexpr std::size_t kTarget = 64u << 10;
constexpr std::size_t kEntry = 20;

}  // namespace

void SourceWriter::Add(BytesView source) {
  if (pending_.empty()) pending_first_ = static_cast<std::uint32_t>(lengths_.size());
  lengths_.push_back(static_cast<std::int64_t>(source.size()));
  pending_.append(source);
  if (pending_.size() >= kTarget) Close();
}

void SourceWriter::Enter(std::uint32_t first, std::size_t size, BytesView packed) {
  codec::AppendU32(directory_, first);
  codec::AppendU32(directory_, static_cast<std::uint32_t>(size));
  codec::AppendU64(directory_, data_.size());
  codec::AppendU32(directory_, static_cast<std::uint32_t>(packed.size()));
  data_.append(packed);
  ++blocks_;
}

void SourceWriter::Close() {
  if (pending_.empty()) return;
  const auto packed = codec::Compress(codec::Compression::kZstd, pending_);
  // Equal sizes mean "not packed"; zstd fails only for want of memory.
  Enter(pending_first_, pending_.size(),
        packed.ok() && packed->size() < pending_.size() ? *packed : pending_);
  pending_.clear();
}

void SourceWriter::AddPacked(const SourceBlocks& other) {
  Close();
  const auto base = static_cast<std::uint32_t>(lengths_.size());
  for (std::size_t b = 0; b < other.blocks_; ++b) {
    const auto block = other.At(b);
    Enter(base + block.first, block.size, other.data_.substr(block.offset, block.packed));
  }
  const auto lengths = other.lengths_.DecodeAll();
  lengths_.insert(lengths_.end(), lengths.begin(), lengths.end());
}

SourceWriter::Written SourceWriter::Finish() {
  Close();
  Written written;
  codec::AppendU32(written.head, blocks_);
  written.head += directory_;
  PackedInts::Append(lengths_, written.head);
  written.data = std::move(data_);
  *this = SourceWriter();
  return written;
}

SourceBlocks::Block SourceBlocks::At(std::size_t block) const {
  const char* entry = directory_ + block * kEntry;
  return {codec::LoadU32(entry), codec::LoadU32(entry + 4), codec::LoadU32(entry + 16),
          codec::LoadU64(entry + 8)};
}

Result<SourceBlocks> SourceBlocks::Open(BytesView bytes, std::uint32_t doc_count, Unpacker unpacker) {
  const auto broken = [] { return Error(ErrorCode::kCorrupt, "the source blocks do not hold together"); };
  ByteReader in(bytes);
  SourceBlocks blocks;
  blocks.unpacker_ = unpacker;
  blocks.blocks_ = in.U32();
  blocks.doc_count_ = doc_count;
  blocks.directory_ = in.View(blocks.blocks_ * std::uint64_t{kEntry}).data();
  if (!in.ok()) return broken();
  HONRYU_TRY(blocks.lengths_, PackedInts::Open(in.rest()));
  in.View(blocks.lengths_.byte_size());
  blocks.data_ = in.rest();
  if (!in.ok() || blocks.lengths_.size() != doc_count || (doc_count > 0) != (blocks.blocks_ > 0))
    return broken();
  // The lengths of a block's documents must add up to its size.
  std::uint32_t doc = 0;
  for (std::size_t b = 0; b < blocks.blocks_; ++b) {
    const auto block = blocks.At(b);
    const auto next = b + 1 < blocks.blocks_ ? blocks.At(b + 1).first : doc_count;
    const auto room = blocks.data_.size();
    if (block.first != doc || next <= doc || next > doc_count) return broken();
    if (block.offset > room || block.packed > room - block.offset || block.packed > block.size)
      return broken();
    std::uint64_t size = 0;
    for (; doc < next; ++doc) {
      const auto length = blocks.lengths_.Get(doc);
      if (length < 0 || length > UINT32_MAX) return broken();
      size += static_cast<std::uint64_t>(length);
    }
    if (size != block.size) return broken();
  }
  return blocks;
}

Result<BytesView> SourceBlocks::Get(std::uint32_t doc, Cache& cache) const {
  if (doc >= doc_count_) return Error(ErrorCode::kOutOfRange, "no such document");
  std::size_t low = 0, high = blocks_;  // the last block that begins at or before doc
  while (high - low > 1) {
    const auto middle = low + (high - low) / 2;
    (At(middle).first <= doc ? low : high) = middle;
  }
  const auto block = At(low);
  if (cache.block != low) {
    cache.block = SIZE_MAX;
    const auto packed = data_.substr(block.offset, block.packed);
    if (block.packed == block.size) {
      cache.text = packed;
    } else {
      cache.unpacked = unpacker_.Unpack(packed, block.size);
      if (cache.unpacked == nullptr) return Error(ErrorCode::kCorrupt, "a source block cannot be unpacked");
      cache.text = *cache.unpacked;
    }
    cache.block = low;
  }
  std::size_t begin = 0;
  for (auto d = block.first; d < doc; ++d) begin += static_cast<std::size_t>(lengths_.Get(d));
  // Open has added the lengths up, but a page that cannot be read any more is zeros.
  const auto length = static_cast<std::size_t>(lengths_.Get(doc));
  if (begin > cache.text.size() || length > cache.text.size() - begin)
    return Error(ErrorCode::kCorrupt, "the source blocks do not hold together");
  return cache.text.substr(begin, length);
}

}  // namespace honryu::search
