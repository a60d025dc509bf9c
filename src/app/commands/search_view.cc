#include "search_view.h"

#include "honryu/base/time.h"
#include "honryu/base/units.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <initializer_list>
#include <optional>

namespace honryu::app {
namespace {

using codec::Json;

struct Range {
  std::uint32_t first, last;
};

template <std::size_t N>
bool In(const std::array<Range, N>& ranges, std::uint32_t c) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const Range& one) { return c >= one.first && c <= one.last; });
}

/// East Asian Width W and F (Unicode 15; of the supplementary planes blocks rounded).
constexpr std::array<Range, 56> kWide = {
    {{0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},   {0x23f0, 0x23f0},
     {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x267f, 0x267f},
     {0x2693, 0x2693},   {0x26a1, 0x26a1},   {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
     {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
     {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},
     {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},
     {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},
     {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},
     {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},
     {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18d08}, {0x1aff0, 0x1b2fb}, {0x1f004, 0x1f004},
     {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f265}, {0x1f300, 0x1faff},
     {0x20000, 0x3fffd}}};
constexpr std::array<Range, 10> kNarrow = {{{0x300, 0x36f},
                                            {0x483, 0x489},
                                            {0x591, 0x5bd},
                                            {0x610, 0x61a},
                                            {0x64b, 0x65f},
                                            {0x200b, 0x200f},
                                            {0x20d0, 0x20ff},
                                            {0x3099, 0x309a},
                                            {0xfe00, 0xfe0f},
                                            {0xfe20, 0xfe2f}}};
/// Turn the order of text around.
constexpr std::array<Range, 2> kBidi = {{{0x202a, 0x202e}, {0x2066, 0x2069}}};

/// The character at `at`, which is moved behind it; U+FFFD for what is no UTF-8.
std::uint32_t Next(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at++]);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
  if (more == 0 || first > 0xf4) return 0xfffd;
  std::uint32_t c = first & (0x3fU >> more);
  for (int i = 0; i < more; ++i) {
    if (at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80) return 0xfffd;
    c = c << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fU);
  }
  return c;
}

std::size_t WidthOf(std::uint32_t c) {
  if (c < 0x300) return c < 0x20 || c == 0x7f ? 0 : 1;
  return In(kNarrow, c) ? 0 : In(kWide, c) ? 2 : 1;
}

constexpr std::string_view kDim = "2", kFound = "1;33", kTime = "36";

/// A line of a terminal being written: cut at its width, coloured where wanted.
class Line {
 public:
  /// The last column is kept for the sign that something is missing.
  Line(bool color, std::size_t width) : color_(color), left_(width == 0 ? SIZE_MAX : width - 1) {}
  void Add(std::string_view sgr, std::string_view text) {
    if (full_) return;
    std::size_t end = 0;
    for (std::size_t at = 0; at < text.size(); end = at) {
      const auto taken = WidthOf(Next(text, at));
      full_ = taken > left_;
      if (full_) break;
      left_ -= taken;
    }
    Paint(sgr, text.substr(0, end));
    if (full_) Paint(kDim, "…");
  }
  /// With what stands between marks highlighted.
  void AddMarked(std::string_view sgr, std::string_view text) {
    while (!text.empty()) {
      const auto begin = text.find(kMark);
      Add(sgr, text.substr(0, begin));
      if (begin == std::string_view::npos) break;
      const auto end = text.find(kUnmark, begin);
      Add(kFound, text.substr(begin + 1, end == std::string_view::npos ? end : end - begin - 1));
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
  }
  std::string Take() { return std::move(text_); }

 private:
  void Paint(std::string_view sgr, std::string_view marked) {
    // Marks without a partner come from the event itself.
    std::string text(marked);
    std::erase_if(text, [](char c) { return c == kMark[0] || c == kUnmark[0]; });
    if (text.empty()) return;
    if (!color_ || sgr.empty()) {
      text_ += text;
      return;
    }
    text_.append("\x1b[").append(sgr).append("m").append(text).append("\x1b[0m");
  }
  const bool color_;
  std::size_t left_;
  bool full_ = false;
  std::string text_;
};

struct Member {
  std::string name, text;
  bool found = false;  ///< Highlighted.
  int order = 0;       ///< Found ones first, moments and ids last.
};

bool IsMoment(std::string_view text) {
  return text.size() >= 19 && text.size() <= 35 && text[4] == '-' && text[10] == 'T' &&
         ParseTimestamp(text).ok();
}

void Flatten(const Json& json, const std::string& path, const Json* highlights, std::vector<Member>& out) {
  for (const auto& [name, value] : json.object()) {
    const std::string full = path.empty() ? name : path + "." + name;
    if (value.is_object()) {
      Flatten(value, full, highlights, out);
      continue;
    }
    Member member{full, value.is_string() ? std::string(value.StringOr("")) : value.Dump()};
    const Json* marked = highlights != nullptr ? highlights->Find(full) : nullptr;
    if (marked != nullptr && value.is_string() && !marked->array().empty()) {
      member.text = marked->array()[0].StringOr("");
      member.found = true;
    }
    member.order = member.found ? 0 : IsMoment(member.text) || name == "event_id" ? 2 : 1;
    out.push_back(std::move(member));
  }
}

/// Takes out the first of these that there is.
template <std::size_t N>
std::optional<Member> TakeFirst(std::vector<Member>& members, const std::array<std::string_view, N>& names) {
  for (const auto name : names) {
    const auto found =
        std::find_if(members.begin(), members.end(), [name](const Member& one) { return one.name == name; });
    if (found == members.end() || found->text.empty()) continue;
    auto taken = std::move(*found);
    members.erase(found);
    return taken;
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 9> kLevels = {
    "level",     "log.level",        "severity", "severity_text", "loglevel",
    "log_level", "properties.level", "lvl",      "event_type"};
constexpr std::array<std::string_view, 11> kMessages = {
    "message", "msg",           "properties.message", "log",           "MESSAGE",       "body",
    "text",    "error.message", "properties.text",    "short_message", "event.original"};

std::string_view ColorOfLevel(std::string_view level) {
  std::string lower;
  for (const char c : level.substr(0, 12))
    if (c != kMark[0] && c != kUnmark[0]) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto begins = [&lower](std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&lower](std::string_view word) { return lower.starts_with(word); });
  };
  if (begins({"err", "fatal", "crit", "crash", "panic", "emerg", "alert", "severe"})) return "1;31";
  if (begins({"warn"})) return "1;33";
  if (begins({"debug", "trace", "verbose"})) return kDim;
  return "1;32";
}

}  // namespace

std::size_t DisplayWidth(std::string_view utf8) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < utf8.size();) width += WidthOf(Next(utf8, at));
  return width;
}

std::string Harmless(std::string_view text, bool marked) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = at;
    const auto c = Next(text, at);
    const bool mark =
        c == static_cast<unsigned char>(kMark[0]) || c == static_cast<unsigned char>(kUnmark[0]);
    if (c < 0x20 && !(marked && mark))
      out += ' ';
    else if ((c >= 0x7f && c < 0xa0) || c == 0xfffd || In(kBidi, c))
      out += "\xef\xbf\xbd";
    else
      out += text.substr(begin, at - begin);
  }
  return out;
}

std::string HarmlessJson(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t at = 0; at < json.size();) {
    const auto begin = at;
    const auto c = Next(json, at);
    if (c < 0x20 && c != '\n') {
      out += ' ';
    } else if (c == 0xfffd) {
      out += "\xef\xbf\xbd";
    } else if ((c >= 0x7f && c < 0xa0) || In(kBidi, c)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escape.data();
    } else {
      out += json.substr(begin, at - begin);
    }
  }
  return out;
}

std::string SearchView::Time(std::int64_t ms) const {
  if (!local) {
    const auto text = FormatTimestamp(TimestampFromMs(ms));
    return whole_time ? text : text.substr(11, 12);
  }
  const std::time_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 40> text{}, zone{};
  std::strftime(text.data(), text.size(), whole_time ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &parts);
  if (whole_time) std::strftime(zone.data(), zone.size(), "%z", &parts);
  auto millis = std::to_string(ms - static_cast<std::int64_t>(seconds) * 1000);
  return std::string(text.data()) + "." + std::string(3 - millis.size(), '0') + millis + zone.data();
}

std::string SearchView::Event(const Json& hit) const {
  const Json* sort = hit.Find("sort");
  const Json* source = hit.Find("_source");
  if (sort == nullptr || sort->array().empty() || source == nullptr) return {};
  const auto ms = sort->array()[0].IntOr(0);
  Line line(color, width);
  line.Add(kTime, Time(ms));
  std::vector<Member> members;
  Flatten(*source, "", hit.Find("highlight"), members);
  if (!fields.empty()) {
    for (const auto& wanted : fields)
      for (const auto& member : members)
        if (member.name == wanted || member.name.starts_with(wanted + ".")) {
          line.Add("", "  ");
          line.Add(kDim, Harmless(member.name) + "=");
          line.AddMarked("", Harmless(member.text, member.found));
        }
    return line.Take();
  }
  // Its time stands in front already.
  std::erase_if(members, [ms](const Member& one) {
    const auto time = IsMoment(one.text) ? ParseTimestamp(one.text) : Result<Timestamp>();
    return time.ok() && ToMs(*time) == ms;
  });
  if (const auto level = TakeFirst(members, kLevels)) {
    line.Add("", "  ");
    line.AddMarked(ColorOfLevel(level->text), Harmless(level->text, level->found));
  }
  if (const auto message = TakeFirst(members, kMessages)) {
    line.Add("", "  ");
    line.AddMarked("", Harmless(message->text, message->found));
  }
  for (int order = 0; order <= 2; ++order)
    for (const auto& member : members) {
      if (member.order != order) continue;
      line.Add("", "  ");
      line.Add(kDim, Harmless(member.name) + "=");
      line.AddMarked("", Harmless(member.text, member.found));
    }
  return line.Take();
}

std::string SearchView::Histogram(const Json& buckets, std::int64_t from, std::int64_t to,
                                  std::int64_t interval_ms) const {
  constexpr std::array<const char*, 9> kBars = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::int64_t most = 0;
  for (const Json& bucket : buckets.array())
    if (const Json* count = bucket.Find("doc_count")) most = std::max(most, count->IntOr(0));
  if (most == 0) return {};
  std::string bars;
  for (const Json& bucket : buckets.array()) {
    const Json* count = bucket.Find("doc_count");
    const std::int64_t n = count != nullptr ? count->IntOr(0) : 0;
    bars += kBars[n == 0 ? 0 : static_cast<std::size_t>(1 + (n * 7) / most)];
  }
  Line chart(color, 0);
  chart.Add("32", bars);
  SearchView axis = *this;
  axis.whole_time = false;
  const bool days = to - from > 86'400'000;
  const auto moment = [&](std::int64_t ms) {
    SearchView whole = *this;
    whole.whole_time = true;
    return days ? whole.Time(ms).substr(0, 16) : axis.Time(ms).substr(0, 8);
  };
  const auto begin = moment(from), end = moment(to);
  const auto middle =
      "  most " + Grouped(most) + " in " +
      FormatDuration(std::chrono::duration_cast<Duration>(std::chrono::milliseconds(interval_ms))) + "  ";
  const auto span = buckets.array().size();
  const auto used = begin.size() + middle.size() + end.size();
  const auto gap = span > used ? span - used : 0;
  Line below(color, width);
  below.Add(kDim, begin + std::string(gap / 2, ' ') + middle + std::string(gap - gap / 2, ' ') + end);
  return chart.Take() + "\n" + below.Take() + "\n";
}

std::int64_t BarWidth(std::int64_t span_ms, std::int64_t columns) {
  constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
  constexpr std::array<std::int64_t, 20> kWidths = {
      100,          500,          kSecond,   2 * kSecond, 5 * kSecond, 10 * kSecond, 15 * kSecond,
      20 * kSecond, 30 * kSecond, kMinute,   2 * kMinute, 5 * kMinute, 10 * kMinute, 15 * kMinute,
      30 * kMinute, kHour,        3 * kHour, 6 * kHour,   12 * kHour,  kDay};
  // One more for a span that begins within a bar.
  for (const std::int64_t width : kWidths)
    if (span_ms / width + 2 <= columns) return width;
  return (span_ms / std::max<std::int64_t>(1, columns - 2) / kDay + 1) * kDay;
}

std::string Grouped(std::int64_t number) {
  auto text = std::to_string(number);
  const std::size_t sign = number < 0 ? 1 : 0;
  for (auto at = text.size(); at > sign + 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

}  // namespace honryu::app
