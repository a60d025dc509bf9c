#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/codec/compression.h"
#include "honryu/log/encryption.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::log {

/// A position inside a partition: strictly rising, gaps allowed, never reused. 63 bits used.
using Offset = std::uint64_t;
inline constexpr Offset kMaxOffset = 0x7ffffffffffffffeULL;

/// Some records of one partition from one request, encoded (framed, compressed if it pays, checksummed) on
/// the caller's thread, so that the committer only copies bytes. See docs/storage-format.md for the layout
/// ("unit").
struct EncodedRecords {
  std::string unit;  ///< Header, then the body.
  std::uint32_t count = 0;
  std::uint64_t plain_bytes = 0;  ///< Sum of the record sizes, before framing and compression.
  bool sealed = false;            ///< Encrypted.
};

/// Builds one EncodedRecords. A record is an opaque byte string to the log.
class RecordBuilder {
 public:
  /// With a sealer the records are encrypted, after they were compressed.
  explicit RecordBuilder(codec::Compression codec = codec::Compression::kLz4,
                         std::shared_ptr<Sealer> sealer = nullptr)
      : codec_(codec), sealer_(std::move(sealer)) {}
  /// Makes room for `size` further body bytes.
  void Reserve(std::size_t size);
  /// Begins a record of exactly `size` bytes and returns where to write them (valid until the next call).
  char* AddRecord(std::size_t size);
  void AddRecord(std::string_view record);
  std::uint32_t count() const { return count_; }
  std::size_t bytes() const { return body_.size(); }
  /// Frames, compresses when it saves at least an eighth, seals if it has a sealer, and checksums. The
  /// builder is empty afterwards.
  EncodedRecords Finish();

 private:
  codec::Compression codec_;
  std::shared_ptr<Sealer> sealer_;
  std::string body_;  // begins with room for the unit header
  std::uint32_t count_ = 0;
};

/// A record as read back. `data` shares the batch's buffer.
struct LogRecord {
  Offset offset = 0;
  Timestamp time;  ///< Commit time; never falls along a partition.
  Bytes data;
  bool sealed = false;  ///< Encrypted where it is stored.
};

}  // namespace honryu::log
