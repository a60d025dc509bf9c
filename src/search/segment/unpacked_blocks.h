#pragma once

#include "honryu/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace honryu::search {

/// Compressed blocks (of sources and dictionaries) as they were unpacked, for the searches that come next:
/// whoever follows the newest events, turns pages or asks again reads the same blocks. The least recently
/// used go first. Thread-safe.
class UnpackedBlocks {
 public:
  /// A block by the number of its segment and its place in the segment's bytes.
  struct Key {
    std::uint64_t segment = 0, offset = 0;
    bool operator==(const Key&) const = default;
  };
  explicit UnpackedBlocks(std::size_t limit_bytes = 64ull << 20) : limit_(limit_bytes) {}
  /// Null: not there.
  std::shared_ptr<const std::string> Find(const Key& key);
  void Put(const Key& key, std::shared_ptr<const std::string> text);
  /// Drops the blocks of a segment that is gone: nothing of it is to be kept.
  void Forget(std::uint64_t segment);
  std::size_t bytes() const;

 private:
  struct Kept {
    Key key;
    std::shared_ptr<const std::string> text;  // shared with the searches that read it
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return static_cast<std::size_t>(
          (key.segment * 0x9e3779b97f4a7c15ULL ^ key.offset) * 0xff51afd7ed558ccdULL >> 16);
    }
  };
  const std::size_t limit_;
  mutable std::mutex mutex_;  // leaf
  std::size_t bytes_ = 0;
  std::list<Kept> kept_;  ///< The last used in front.
  std::unordered_map<Key, std::list<Kept>::iterator, Hash> by_key_;
};

/// Unpacks blocks of one segment, by way of what is kept of them. Cheap to copy.
class Unpacker {
 public:
  /// Keeps nothing.
  Unpacker() = default;
  /// `kept` must outlive it; `base` is where the bytes of the segment begin.
  Unpacker(UnpackedBlocks* kept, std::uint64_t segment, const char* base)
      : kept_(kept), segment_(segment), base_(base) {}
  /// The `size` bytes that `packed` (zstd, within the segment) stands for; null when it is corrupt.
  std::shared_ptr<const std::string> Unpack(BytesView packed, std::size_t size) const;

 private:
  UnpackedBlocks* kept_ = nullptr;
  std::uint64_t segment_ = 0;
  const char* base_ = nullptr;
};

}  // namespace honryu::search
