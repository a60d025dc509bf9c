#pragma once

#include "honryu/base/bytes.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu::search {

/// Reads bytes that may be anything: once a read would pass the end, ok() is false and every read gives 0.
class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : left_(bytes) {}
  bool ok() const { return ok_; }
  std::size_t left() const { return left_.size(); }
  BytesView rest() const { return left_; }

  std::uint8_t U8() { return Need(1) ? static_cast<std::uint8_t>(Take(1)[0]) : std::uint8_t{0}; }
  std::uint32_t U32() { return Need(4) ? codec::LoadU32(Take(4).data()) : 0; }
  std::uint64_t U64() { return Need(8) ? codec::LoadU64(Take(8).data()) : 0; }
  std::uint64_t Varint() {
    std::uint64_t value = 0;
    if (ok_ && codec::TakeVarint(&left_, &value)) return value;
    ok_ = false;
    return 0;
  }
  BytesView View(std::uint64_t size) {
    return Need(size) ? Take(static_cast<std::size_t>(size)) : BytesView{};
  }
  BytesView String() { return View(Varint()); }
  void Fail() { ok_ = false; }

 private:
  bool Need(std::uint64_t size) {
    if (!ok_ || size > left_.size()) ok_ = false;
    return ok_;
  }
  BytesView Take(std::size_t size) {
    const auto taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  BytesView left_;
  bool ok_ = true;
};

inline void AppendString(std::string& out, BytesView text) {
  codec::AppendVarint(out, text.size());
  out.append(text);
}

}  // namespace honryu::search
