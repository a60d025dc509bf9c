#include "honryu/sql/parser.h"
#include "sql/lexer.h"

#include <algorithm>

namespace honryu::sql {

std::string RenderError(std::string_view text, Position at, std::string_view message, std::string_view hint) {
  constexpr std::size_t kMost = 200;  // characters of a line that are shown
  const std::size_t offset = std::min<std::size_t>(at.offset, text.size());
  const std::size_t before = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t stop = std::min(text.find('\n', offset), text.size());
  std::string_view line = text.substr(start, stop - start);
  std::string shown, caret;
  if (offset - start > kMost) {  // a long line: only what stands around the place
    std::size_t cut = offset - start - kMost / 2;
    while (cut < line.size() && (static_cast<unsigned char>(line[cut]) & 0xc0) == 0x80) ++cut;
    line.remove_prefix(cut);
    shown = caret = "  ...";
    caret = "     ";
    line = line.substr(0, kMost);
    for (std::size_t i = 0; i < offset - start - cut; ++i)
      if ((static_cast<unsigned char>(line[i]) & 0xc0) != 0x80) caret += ' ';
  } else {
    shown = caret = "  ";
    for (std::size_t i = 0; i < offset - start; ++i) {
      if (line[i] == '\t') {
        caret += '\t';
      } else if ((static_cast<unsigned char>(line[i]) & 0xc0) != 0x80) {
        caret += ' ';
      }
    }
    line = line.substr(0, 2 * kMost);
  }
  shown += line;
  std::string out = "line " + std::to_string(at.line) + ", column " + std::to_string(at.column) + ": ";
  out += message;
  if (!hint.empty()) {
    out += "; did you mean ";
    out += hint;
    out += "?";
  }
  return out + "\n" + shown + "\n" + caret + "^";
}

namespace {

// Damerau-Levenshtein (optimal string alignment): insertions, deletions, replacements, neighbours swapped.
std::size_t Distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> older, previous(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], older[j - 2] + 1);
    }
    older = previous;
    previous = current;
  }
  return previous[b.size()];
}

}  // namespace

std::string NearestName(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongest = 64;
  if (word.empty() || word.size() > kLongest) return {};
  const std::string wanted = UpperCase(word);
  std::string best;
  std::size_t best_distance = 1 + wanted.size() / 3;  // a slip changes up to a third of a word, at least one
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    const std::size_t distance = Distance(wanted, UpperCase(candidate));
    if (distance < best_distance || (distance == best_distance && best.empty() && wanted.size() > 2)) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace honryu::sql
