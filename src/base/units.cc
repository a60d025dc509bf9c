#include "honryu/base/units.h"

#include <array>
#include <charconv>
#include <limits>

namespace honryu {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 10> kSizeUnits{{{"TiB", 1ULL << 40},
                                           {"GiB", 1ULL << 30},
                                           {"MiB", 1ULL << 20},
                                           {"KiB", 1ULL << 10},
                                           {"TB", 1000000000000ULL},
                                           {"GB", 1000000000ULL},
                                           {"MB", 1000000ULL},
                                           {"KB", 1000ULL},
                                           {"B", 1ULL},
                                           {"", 1ULL}}};
constexpr std::array<Unit, 7> kTimeUnits{{{"ns", 1ULL},
                                          {"us", 1000ULL},
                                          {"ms", 1000000ULL},
                                          {"s", 1000000000ULL},
                                          {"m", 60000000000ULL},
                                          {"h", 3600000000000ULL},
                                          {"d", 86400000000000ULL}}};

// Splits off leading digits; false if there are none or they overflow.
bool TakeNumber(std::string_view* text, std::uint64_t* out) {
  const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), *out);
  if (ec != std::errc() || end == text->data()) return false;
  text->remove_prefix(static_cast<std::size_t>(end - text->data()));
  return true;
}

}  // namespace

Result<ByteSize> ParseByteSize(std::string_view text) {
  const Error bad(ErrorCode::kInvalidArgument,
                  "expected a size such as 64MiB, found '" + std::string(text.substr(0, 64)) + "'");
  std::string_view rest = text;
  std::uint64_t number = 0;
  if (!TakeNumber(&rest, &number)) return bad;
  for (const Unit& unit : kSizeUnits) {
    if (rest != unit.name) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() / unit.factor) return bad;
    return ByteSize{number * unit.factor};
  }
  return bad;
}

std::string FormatByteSize(ByteSize size) {
  for (const Unit& unit : {kSizeUnits[0], kSizeUnits[1], kSizeUnits[2], kSizeUnits[3]}) {
    if (size.bytes >= unit.factor && size.bytes % unit.factor == 0) {
      return std::to_string(size.bytes / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(size.bytes) + "B";
}

Result<Duration> ParseDuration(std::string_view text) {
  const Error bad(ErrorCode::kInvalidArgument,
                  "expected a duration such as 5s or 1h30m, found '" + std::string(text.substr(0, 64)) + "'");
  if (text == "0") return Duration::zero();
  std::string_view rest = text;
  std::uint64_t total = 0;
  do {
    std::uint64_t number = 0;
    if (!TakeNumber(&rest, &number)) return bad;
    std::size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    std::uint64_t factor = 0;
    for (const Unit& unit : kTimeUnits) {
      if (rest.substr(0, letters) == unit.name) factor = unit.factor;
    }
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (factor == 0 || number > kMax / factor || total > kMax - number * factor) return bad;
    total += number * factor;
    rest.remove_prefix(letters);
  } while (!rest.empty());
  return Duration(static_cast<std::int64_t>(total));
}

std::string FormatDuration(Duration duration) {
  auto ns = static_cast<std::uint64_t>(duration.count());
  if (ns == 0) return "0s";
  for (std::size_t i = kTimeUnits.size(); i-- > 0;) {
    if (ns % kTimeUnits[i].factor == 0)
      return std::to_string(ns / kTimeUnits[i].factor) + std::string(kTimeUnits[i].name);
  }
  return std::to_string(ns) + "ns";
}

}  // namespace honryu
