#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "search/segment/packed_ints.h"
#include "search/segment/unpacked_blocks.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace honryu::search {

/// The documents as they came, byte for byte, in zstd blocks of about 64 KiB.
///
///   u32 blocks | per block: u32 first document, u32 size, u64 offset, u32 packed size | PackedInts of
///   lengths | data
class SourceWriter {
 public:
  void Add(BytesView source);
  /// Takes over whole blocks of another segment; its documents follow those added so far.
  void AddPacked(const class SourceBlocks& other);
  /// What comes before the blocks, and the blocks; the writer is empty afterwards.
  struct Written {
    std::string head, data;
  };
  Written Finish();
  std::size_t bytes() const { return data_.size() + pending_.size(); }

 private:
  void Close();
  void Enter(std::uint32_t first, std::size_t size, BytesView packed);
  std::string directory_, data_, pending_;
  std::uint32_t blocks_ = 0, pending_first_ = 0;
  std::vector<std::int64_t> lengths_;
};

class SourceBlocks {
 public:
  static Result<SourceBlocks> Open(BytesView bytes, std::uint32_t doc_count, Unpacker unpacker = {});

  /// A block as last unpacked; keep one per reader so that neighbours cost one unpacking.
  struct Cache {
    std::size_t block = SIZE_MAX;
    BytesView text;
    std::shared_ptr<const std::string> unpacked{};  // shared with those who keep it; `text` looks into it
  };
  /// The document's bytes, valid until `cache` is used again. kCorrupt when its block cannot be unpacked.
  Result<BytesView> Get(std::uint32_t doc, Cache& cache) const;

 private:
  friend class SourceWriter;
  struct Block {
    std::uint32_t first = 0, size = 0, packed = 0;
    std::uint64_t offset = 0;
  };
  Block At(std::size_t block) const;
  std::size_t blocks_ = 0;
  std::uint32_t doc_count_ = 0;
  const char* directory_ = nullptr;
  PackedInts lengths_;
  BytesView data_;
  Unpacker unpacker_;
};

}  // namespace honryu::search
