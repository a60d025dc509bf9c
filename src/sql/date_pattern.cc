#include "sql/calendar.h"

#include <array>
#include <vector>

// The patterns of Java's SimpleDateFormat, which CHAR_TO_TIMESTAMP and TIMESTAMP_TO_CHAR of Kinesis Analytics
// take.
namespace honryu::sql {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};

struct Piece {
  char letter = 0;  ///< 0: `text` stands for itself.
  std::size_t count = 0;
  std::string text;
};

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::optional<std::vector<Piece>> Pieces(std::string_view pattern) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (IsLetter(c)) {
      if (std::string_view("yuMdHhmsSaEDkKZXz").find(c) == std::string_view::npos) return {};
      Piece piece{c, 0, {}};
      for (; i < pattern.size() && pattern[i] == c; ++i) ++piece.count;
      pieces.push_back(std::move(piece));
      continue;
    }
    Piece piece;
    if (c == '\'') {  // 'text', and '' for a quote
      ++i;
      if (i < pattern.size() && pattern[i] == '\'') {
        piece.text = "'";
        ++i;
      } else {
        while (i < pattern.size() && pattern[i] != '\'') piece.text += pattern[i++];
        if (i == pattern.size()) return {};
        ++i;
      }
    } else {
      piece.text = c;
      ++i;
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

void Pad(std::string& out, std::int64_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

struct Parts {
  std::int64_t year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, milli = 0, offset_min = 0;
  std::optional<std::int64_t> day_of_year;
  bool twelve = false, afternoon = false;
};

bool SameLetters(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
  return true;
}

// The full name if it stands there, else its first three letters; the index, counted from 0.
template <std::size_t kCount>
std::optional<std::int64_t> TakeNamed(const std::array<std::string_view, kCount>& names,
                                      std::string_view* text) {
  for (std::size_t i = 0; i < kCount; ++i) {
    for (const std::size_t length : {names[i].size(), std::size_t{3}}) {
      if (!SameLetters(text->substr(0, length), names[i].substr(0, length))) continue;
      text->remove_prefix(length);
      return static_cast<std::int64_t>(i);
    }
  }
  return {};
}

std::optional<std::int64_t> TakeNumber(std::string_view* text, std::size_t most) {
  std::int64_t value = 0;
  std::size_t count = 0;
  while (count < most && count < text->size() && (*text)[count] >= '0' && (*text)[count] <= '9')
    value = value * 10 + ((*text)[count++] - '0');
  if (count == 0) return {};
  text->remove_prefix(count);
  return value;
}

std::optional<std::int64_t> TakeZone(std::string_view* text) {
  for (const std::string_view name : {"UTC", "GMT", "Z"}) {
    if (text->substr(0, name.size()) == name) {
      text->remove_prefix(name.size());
      return 0;
    }
  }
  if (text->empty() || ((*text)[0] != '+' && (*text)[0] != '-')) return {};
  const std::int64_t sign = (*text)[0] == '-' ? -1 : 1;
  text->remove_prefix(1);
  const std::optional<std::int64_t> hours = TakeNumber(text, 2);
  if (!hours.has_value()) return {};
  if (!text->empty() && (*text)[0] == ':') text->remove_prefix(1);
  const std::int64_t minutes = TakeNumber(text, 2).value_or(0);
  return sign * (*hours * 60 + minutes);
}

bool TakePiece(const Piece& piece, std::size_t width, std::string_view* text, Parts& parts) {
  const auto number = [&](std::int64_t& into, std::int64_t least, std::int64_t most) {
    const std::optional<std::int64_t> read = TakeNumber(text, width);
    if (!read.has_value() || *read < least || *read > most) return false;
    into = *read;
    return true;
  };
  switch (piece.letter) {
    case 'y':
    case 'u':
      if (!number(parts.year, 0, 9999)) return false;
      if (piece.count == 2 && parts.year < 100) parts.year += parts.year < 70 ? 2000 : 1900;
      return true;
    case 'M': {
      if (piece.count < 3) return number(parts.month, 1, 12);
      const auto month = TakeNamed(kMonths, text);
      parts.month = month.value_or(0) + 1;
      return month.has_value();
    }
    case 'd':
      return number(parts.day, 1, 31);
    case 'D': {
      std::int64_t day = 0;
      if (!number(day, 1, 366)) return false;
      parts.day_of_year = day;
      return true;
    }
    case 'E':
      return TakeNamed(kDays, text).has_value();
    case 'H':
      return number(parts.hour, 0, 23);
    case 'k':
      if (!number(parts.hour, 1, 24)) return false;
      parts.hour %= 24;
      return true;
    case 'h':
    case 'K':
      parts.twelve = true;
      if (!number(parts.hour, 0, 12)) return false;
      parts.hour %= 12;
      return true;
    case 'a':
      parts.afternoon = SameLetters(text->substr(0, 2), "PM");
      if (!parts.afternoon && !SameLetters(text->substr(0, 2), "AM")) return false;
      text->remove_prefix(2);
      return true;
    case 'm':
      return number(parts.minute, 0, 59);
    case 's':
      return number(parts.second, 0, 59);
    case 'S':
      return number(parts.milli, 0, 999);
    default: {
      const auto zone = TakeZone(text);
      parts.offset_min = zone.value_or(0);
      return zone.has_value();
    }
  }
}

}  // namespace

std::optional<std::string> FormatByPattern(std::string_view pattern, std::int64_t ms) {
  const auto pieces = Pieces(pattern);
  if (!pieces.has_value()) return {};
  std::string out;
  const std::int64_t hour = ExtractUnit(ms, TimeUnit::kHour);
  for (const Piece& piece : *pieces) {
    switch (piece.letter) {
      case 0:
        out += piece.text;
        break;
      case 'y':
      case 'u': {
        const std::int64_t year = ExtractUnit(ms, TimeUnit::kYear);
        Pad(out, piece.count == 2 ? year % 100 : year, piece.count);
        break;
      }
      case 'M': {
        const std::int64_t month = ExtractUnit(ms, TimeUnit::kMonth);
        const std::string_view name = kMonths[static_cast<std::size_t>(month - 1)];
        if (piece.count < 3) {
          Pad(out, month, piece.count);
        } else {
          out += piece.count == 3 ? name.substr(0, 3) : name;
        }
        break;
      }
      case 'E': {
        const auto day = static_cast<std::size_t>(ExtractUnit(ms, TimeUnit::kDayOfWeek) - 1);
        out += piece.count < 4 ? kDays[day].substr(0, 3) : kDays[day];
        break;
      }
      case 'd':
        Pad(out, ExtractUnit(ms, TimeUnit::kDay), piece.count);
        break;
      case 'D':
        Pad(out, ExtractUnit(ms, TimeUnit::kDayOfYear), piece.count);
        break;
      case 'H':
        Pad(out, hour, piece.count);
        break;
      case 'k':
        Pad(out, hour == 0 ? 24 : hour, piece.count);
        break;
      case 'h':
        Pad(out, hour % 12 == 0 ? 12 : hour % 12, piece.count);
        break;
      case 'K':
        Pad(out, hour % 12, piece.count);
        break;
      case 'a':
        out += hour < 12 ? "AM" : "PM";
        break;
      case 'm':
        Pad(out, ExtractUnit(ms, TimeUnit::kMinute), piece.count);
        break;
      case 's':
        Pad(out, ExtractUnit(ms, TimeUnit::kSecond), piece.count);
        break;
      case 'S':
        Pad(out, ExtractUnit(ms, TimeUnit::kMillisecond), piece.count);
        break;
      case 'Z':
        out += "+0000";
        break;
      case 'X':
        out += 'Z';
        break;
      default:
        out += "UTC";
    }
  }
  return out;
}

std::optional<std::int64_t> ParseByPattern(std::string_view pattern, std::string_view text) {
  const auto pieces = Pieces(pattern);
  if (!pieces.has_value()) return {};
  Parts parts;
  for (std::size_t i = 0; i < pieces->size(); ++i) {
    const Piece& piece = (*pieces)[i];
    if (piece.letter == 0) {
      if (text.substr(0, piece.text.size()) != piece.text) return {};
      text.remove_prefix(piece.text.size());
      continue;
    }
    // Numbers take all digits, unless the next piece is a number too: then as many as the pattern has
    // letters.
    const bool adjacent = i + 1 < pieces->size() && (*pieces)[i + 1].letter != 0;
    if (!TakePiece(piece, adjacent ? piece.count : 9, &text, parts)) return {};
  }
  if (parts.twelve && parts.afternoon) parts.hour += 12;
  const std::int64_t year_start = AddMonths(0, (parts.year - 1970) * 12);
  std::int64_t date = AddMonths(year_start, parts.month - 1) + (parts.day - 1) * 86'400'000;
  if (ExtractUnit(date, TimeUnit::kMonth) != parts.month) return {};  // 31 February
  if (parts.day_of_year.has_value()) date = year_start + (*parts.day_of_year - 1) * 86'400'000;
  return date + ((parts.hour * 60 + parts.minute - parts.offset_min) * 60 + parts.second) * 1000 +
         parts.milli;
}

}  // namespace honryu::sql
