#pragma once

#include "honryu/base/crc32c.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// Gives equal byte strings of one space (a field, or a text view) the same number. One 32-byte slot a string
/// holds the whole key when it is short, so that a look-up touches one cache line; callers prepare and
/// prefetch a batch before they look up.
class InternTable {
 public:
  /// A string ready to be looked for: its hash, and its bytes as words when it is short.
  struct Key {
    std::uint64_t hash = 0;
    std::array<std::uint64_t, 3> words{};
    std::string_view text;
    std::uint16_t space = 0;
  };

  InternTable() : slots_(kLeast) {}

  static Key MakeKey(std::uint32_t space, std::string_view text) {
    Key key;
    key.text = text;
    key.space = static_cast<std::uint16_t>(space);
    if (text.size() <= kShort) {
      key.words = Words(text);
      key.hash = HashWords(key.words, key.space, text.size());
    } else {
      key.hash = Hash64(text, key.space * kOdd);
    }
    return key;
  }
  void Prefetch(const Key& key) const { __builtin_prefetch(&slots_[key.hash & (slots_.size() - 1)]); }

  /// The place of the string's number. When `*fresh`, the caller sets it; the bytes are then in arena() at
  /// `*offset`. The reference is valid until the next call.
  std::uint32_t& Find(const Key& key, bool* fresh, std::uint32_t* offset) {
    if ((used_ + 1) * 2 > slots_.size()) Grow();
    const auto tag = static_cast<std::uint32_t>(key.hash >> 32);
    for (std::size_t i = key.hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      Slot& slot = slots_[i];
      if (slot.length == kEmpty) {
        *fresh = true;
        *offset = static_cast<std::uint32_t>(arena_.size());
        arena_.append(key.text);
        ++used_;
        slot.tag = tag;
        slot.space = key.space;
        slot.length = static_cast<std::uint16_t>(key.text.size());
        if (key.text.size() <= kShort)
          std::memcpy(slot.key, key.words.data(), kShort);
        else
          std::memcpy(slot.key, offset, 4);
        return slot.number;
      }
      if (slot.tag == tag && slot.length == key.text.size() && slot.space == key.space && Same(slot, key)) {
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
  /// Empties the table, which keeps room for about as many strings as it had.
  void Clear() {
    auto size = slots_.size();
    while (size > kLeast && used_ * 8 < size) size /= 2;
    if (size == slots_.size())
      slots_.assign(size, Slot());
    else
      slots_ = std::vector<Slot>(size);
    if (arena_.capacity() > 4 * arena_.size()) arena_ = std::string();
    arena_.clear();
    used_ = 0;
  }

 private:
  static constexpr std::size_t kLeast = 1024;
  static constexpr std::size_t kShort = 20;
  static constexpr std::uint16_t kEmpty = 0xffff;
  static constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15ULL;
  struct alignas(32) Slot {
    std::uint32_t number = 0;
    std::uint32_t tag = 0;
    std::uint16_t space = 0;
    std::uint16_t length = kEmpty;
    char key[kShort] = {};  // the bytes, zeros behind them, or where they are in the arena
  };
  static_assert(sizeof(Slot) == 32 && std::endian::native == std::endian::little);

  template <class Word>
  static std::uint64_t Load(const char* p) {
    Word word;
    std::memcpy(&word, p, sizeof word);
    return word;
  }
  /// `n` <= 8 bytes, the first of them the lowest.
  static std::uint64_t Partial(const char* p, std::size_t n) {
    if (n >= 8) return Load<std::uint64_t>(p);
    if (n >= 4) return Load<std::uint32_t>(p) | Load<std::uint32_t>(p + n - 4) << (8 * (n - 4));
    if (n == 0) return 0;
    const auto byte = [&](std::size_t i) {
      return std::uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
    };
    return byte(0) | byte(n / 2) | byte(n - 1);
  }
  static std::array<std::uint64_t, 3> Words(std::string_view text) {
    const char* p = text.data();
    const auto n = text.size();
    if (n <= 8) return {Partial(p, n), 0, 0};
    if (n <= 16) return {Load<std::uint64_t>(p), Partial(p + 8, n - 8), 0};
    return {Load<std::uint64_t>(p), Load<std::uint64_t>(p + 8), Partial(p + 16, n - 16)};
  }
  /// Two multiplications, each folded (as wyhash does it): short strings need no more.
  static std::uint64_t HashWords(const std::array<std::uint64_t, 3>& words, std::uint16_t space,
                                 std::size_t length) {
    const auto mix = [](std::uint64_t a, std::uint64_t b) {
      __extension__ using Wide = unsigned __int128;
      const Wide product = static_cast<Wide>(a) * b;
      return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    };
    return mix(mix(words[0] ^ 0xa0761d6478bd642fULL, words[1] ^ 0xe7037ed1a0b428dbULL ^ space) ^ words[2],
               kOdd ^ length);
  }
  bool Same(const Slot& slot, const Key& key) const {
    if (key.text.size() <= kShort)
      return ((Load<std::uint64_t>(slot.key) ^ key.words[0]) |
              (Load<std::uint64_t>(slot.key + 8) ^ key.words[1]) |
              (Load<std::uint32_t>(slot.key + 16) ^ key.words[2])) == 0;
    return LongText(slot) == key.text;
  }
  std::string_view LongText(const Slot& slot) const {
    return std::string_view(arena_).substr(Load<std::uint32_t>(slot.key), slot.length);
  }
  std::uint64_t HashOf(const Slot& slot) const {
    if (slot.length > kShort) return Hash64(LongText(slot), slot.space * kOdd);
    return HashWords({Load<std::uint64_t>(slot.key), Load<std::uint64_t>(slot.key + 8),
                      Load<std::uint32_t>(slot.key + 16)},
                     slot.space, slot.length);
  }
  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.length == kEmpty) continue;
      std::size_t i = HashOf(slot) & (slots_.size() - 1);
      while (slots_[i].length != kEmpty) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::string arena_;
  std::size_t used_ = 0;
};

}  // namespace honryu::search
