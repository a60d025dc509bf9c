#include "consumer/splitting.h"

#include "honryu/codec/json_scan.h"

#include <limits>
#include <string_view>

namespace honryu::consumer {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

/// Place of the first byte from `at` on that is no blank; the size when there is none.
std::size_t SkipBlanks(BytesView text, std::size_t at) {
  const std::size_t found = text.find_first_not_of(kBlanks, at);
  return found == BytesView::npos ? text.size() : found;
}

codec::JsonLimits Unjudged() {
  codec::JsonLimits limits;
  limits.max_members = std::numeric_limits<std::size_t>::max();
  limits.max_value_bytes = 0;  // duplicate keys are the business of whoever reads the record
  return limits;
}

SplitOutcome SplitLines(const Bytes& data, bool certain, std::size_t most, std::vector<Bytes>& out) {
  const BytesView text = data;
  codec::JsonScanner scanner(Unjudged());
  const std::size_t before = out.size();
  for (std::size_t at = SkipBlanks(text, 0); at < text.size(); at = SkipBlanks(text, at)) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const BytesView line = text.substr(at, end - at);
    const std::size_t length = line.find_last_not_of(kBlanks) + 1;
    if (certain) {
      const bool object =
          line[0] == '{' && scanner.Scan(line.substr(0, length), 0) && scanner.end() == length;
      if (!object) {
        out.resize(before);
        return SplitOutcome::kWhole;
      }
    }
    if (out.size() - before == most) return SplitOutcome::kTooMany;
    out.push_back(data.Slice(at, length));
    at = end;
  }
  if (certain && out.size() - before < 2) {
    out.resize(before);
    return SplitOutcome::kWhole;
  }
  // Nothing but blanks: nothing to be a record, but not ours to drop either.
  return out.size() == before ? SplitOutcome::kWhole : SplitOutcome::kSplit;
}

SplitOutcome SplitArray(const Bytes& data, std::size_t at, bool certain, std::size_t most,
                        std::vector<Bytes>& out) {
  const BytesView text = data;
  codec::JsonScanner scanner(Unjudged());
  const std::size_t before = out.size();
  const auto give_up = [&] {
    out.resize(before);
    return certain ? SplitOutcome::kWhole : SplitOutcome::kBroken;
  };
  at = SkipBlanks(text, at + 1);
  bool closed = at < text.size() && text[at] == ']';
  if (closed && certain) return SplitOutcome::kWhole;
  while (!closed) {
    if (!scanner.Scan(text, at)) return give_up();
    if (certain && scanner.kind() != codec::JsonKind::kObject) return give_up();
    if (out.size() - before == most) return SplitOutcome::kTooMany;
    out.push_back(data.Slice(scanner.begin(), scanner.end() - scanner.begin()));
    at = SkipBlanks(text, scanner.end());
    if (at == text.size() || (text[at] != ',' && text[at] != ']')) return give_up();
    closed = text[at] == ']';
    if (!closed) ++at;
  }
  if (SkipBlanks(text, at + 1) != text.size()) return give_up();
  return SplitOutcome::kSplit;
}

}  // namespace

bool MayNeedSplitting(BytesView data, const OpeningConfig& config) {
  if (config.lines == SplitRule::kNever && config.arrays == SplitRule::kNever) return false;
  const std::size_t first = SkipBlanks(data, 0);
  if (first == data.size()) return false;
  if (config.arrays != SplitRule::kNever && data[first] == '[') return true;
  if (config.lines == SplitRule::kNever) return false;
  if (config.lines == SplitRule::kCertain && data[first] != '{') return false;
  return data.find('\n', first) != BytesView::npos;
}

SplitOutcome SplitJson(const Bytes& data, const OpeningConfig& config, std::size_t most,
                       std::vector<Bytes>& out) {
  if (!MayNeedSplitting(data, config)) return SplitOutcome::kWhole;
  const std::size_t first = SkipBlanks(data, 0);
  if (config.arrays != SplitRule::kNever && data.view()[first] == '[') {
    const SplitOutcome split = SplitArray(data, first, config.arrays == SplitRule::kCertain, most, out);
    if (split != SplitOutcome::kWhole || config.lines != SplitRule::kAlways) return split;
  }
  if (config.lines == SplitRule::kNever) return SplitOutcome::kWhole;
  return SplitLines(data, config.lines == SplitRule::kCertain, most, out);
}

}  // namespace honryu::consumer
