#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace honryu::testing {

/// Builds zip archives (APPNOTE 4.3) with deflated files, byte by byte, so that tests can also build wrong
/// ones.
class ZipWriter {
 public:
  void Add(const std::string& name, const std::string& content) {
    const std::string packed = Deflate(content);
    const auto sum = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size())));
    Entry entry{name, sum ^ false_sum_, packed.size(), content.size(), archive_.size(), flags_};
    archive_ += "PK\x03\x04";
    AddHeader(entry, archive_);
    Add16(0, archive_);  // extra field
    archive_ += name + packed;
    entries_.push_back(std::move(entry));
  }
  /// Files added from now on have a wrong checksum.
  void FalseChecksums() { false_sum_ = 1; }
  /// Files added from now on claim to be encrypted.
  void Encrypted() { flags_ = 1; }

  std::string Finish() {
    const std::size_t start = archive_.size();
    for (const Entry& entry : entries_) {
      archive_ += "PK\x01\x02";
      Add16(20, archive_);
      AddHeader(entry, archive_);
      for (int i = 0; i < 4; ++i) Add16(0, archive_);  // extra, comment, disk, attributes
      Add32(0, archive_);
      Add32(entry.offset, archive_);
      archive_ += entry.name;
    }
    const std::size_t size = archive_.size() - start;
    archive_ += "PK\x05\x06";
    Add32(0, archive_);
    Add16(entries_.size(), archive_);
    Add16(entries_.size(), archive_);
    Add32(size, archive_);
    Add32(start, archive_);
    Add16(0, archive_);
    return std::exchange(archive_, {});
  }

 private:
  struct Entry {
    std::string name;
    std::uint32_t sum;
    std::size_t packed, plain, offset;
    unsigned flags;
  };
  static void Add16(std::size_t value, std::string& out) {
    out += static_cast<char>(value & 255);
    out += static_cast<char>(value >> 8 & 255);
  }
  static void Add32(std::size_t value, std::string& out) {
    Add16(value & 65535, out);
    Add16(value >> 16 & 65535, out);
  }
  static void AddHeader(const Entry& entry, std::string& out) {
    Add16(20, out);
    Add16(entry.flags, out);
    Add16(8, out);  // deflate
    Add32(0, out);  // time and date
    Add32(entry.sum, out);
    Add32(entry.packed, out);
    Add32(entry.plain, out);
    Add16(entry.name.size(), out);
  }
  static std::string Deflate(const std::string& plain) {
    z_stream stream{};
    deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, deflateEnd);
    std::string packed(deflateBound(&stream, plain.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    return packed;
  }

  std::string archive_;
  std::vector<Entry> entries_;
  std::uint32_t false_sum_ = 0;
  unsigned flags_ = 0;
};

}  // namespace honryu::testing
