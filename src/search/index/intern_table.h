#pragma once

#include "honryu/base/crc32c.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// Gives equal byte strings of one space (a field, or a text view) the same number. One 32-byte slot a string
/// holds the whole key when it is short, so that a look-up touches one cache line; callers hash a batch and
/// prefetch before they look up.
class InternTable {
 public:
  InternTable() : slots_(1024) {}

  static std::uint64_t Hash(std::uint32_t space, std::string_view key) {
    return Hash64(key, space * 0x9e3779b97f4a7c15ULL);
  }
  void Prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }

  /// The place of the string's number. When `*fresh`, the caller sets it; the bytes are then in arena() at
  /// `*offset`. The reference is valid until the next call.
  std::uint32_t& Find(std::uint64_t hash, std::uint32_t space, std::string_view key, bool* fresh,
                      std::uint32_t* offset) {
    if ((used_ + 1) * 2 > slots_.size()) Grow();
    for (std::size_t i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      Slot& slot = slots_[i];
      if (slot.length == kEmpty) {
        *fresh = true;
        *offset = static_cast<std::uint32_t>(arena_.size());
        arena_.append(key);
        ++used_;
        slot.tag = static_cast<std::uint32_t>(hash >> 32);
        slot.space = static_cast<std::uint16_t>(space);
        slot.length = static_cast<std::uint16_t>(key.size());
        if (key.size() <= sizeof slot.key)
          std::memcpy(slot.key, key.data(), key.size());
        else
          std::memcpy(slot.key, offset, 4);
        return slot.number;
      }
      if (slot.tag == static_cast<std::uint32_t>(hash >> 32) && slot.length == key.size() &&
          slot.space == space && Key(slot) == key) {
        *fresh = false;
        return slot.number;
      }
    }
  }

  /// Takes a string without looking whether it is there; gives its place in arena().
  std::uint32_t Append(std::string_view key) {
    const auto offset = static_cast<std::uint32_t>(arena_.size());
    arena_.append(key);
    return offset;
  }

  const std::string& arena() const { return arena_; }
  std::size_t bytes() const { return arena_.size() + slots_.size() * sizeof(Slot); }
  void Clear() {
    slots_.assign(1024, Slot());
    arena_.clear();
    used_ = 0;
  }

 private:
  static constexpr std::uint16_t kEmpty = 0xffff;
  struct alignas(32) Slot {
    std::uint32_t number = 0;
    std::uint32_t tag = 0;
    std::uint16_t space = 0;
    std::uint16_t length = kEmpty;
    char key[20] = {};  // the bytes, or where they are in the arena
  };
  static_assert(sizeof(Slot) == 32);

  std::string_view Key(const Slot& slot) const {
    if (slot.length <= sizeof slot.key) return {slot.key, slot.length};
    std::uint32_t offset;
    std::memcpy(&offset, slot.key, 4);
    return std::string_view(arena_).substr(offset, slot.length);
  }
  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.length == kEmpty) continue;
      std::size_t i = Hash(slot.space, Key(slot)) & (slots_.size() - 1);
      while (slots_[i].length != kEmpty) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::string arena_;
  std::size_t used_ = 0;
};

}  // namespace honryu::search
