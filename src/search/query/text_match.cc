#include "search/query/text_match.h"

#include <algorithm>
#include <compare>
#include <map>
#include <memory>
#include <numeric>
#include <string_view>

namespace honryu::search {
namespace {

/// Tokens that an open end may stand for inside a phrase with a cursor each; for more, their lists are merged
/// before. Cursors of all parts of a phrase together, likewise.
constexpr std::size_t kCursorsOfPart = 256, kCursorsOfPhrase = 8192;

std::vector<TermEntry> Entries(const TextColumn& column, const TextClause::Part& part) {
  std::vector<TermEntry> entries;
  if (!part.prefix) {
    if (const auto entry = column.terms.Find(part.term)) entries.push_back(*entry);
    return entries;
  }
  column.terms.Scan(column.terms.LowerBound(part.term), [&](BytesView term, const TermEntry& entry) {
    if (!term.starts_with(part.term)) return false;
    entries.push_back(entry);
    return true;
  });
  return entries;
}

TextHits FindTerm(const TextColumn& column, const TermEntry& entry, bool frequencies, DocRange range) {
  TextHits hits;
  if (!frequencies) {
    if (range.begin == 0) hits.targets.reserve(std::min(entry.doc_count, range.end));
    ForEachTarget(column.Open(entry), range.begin, range.end,
                  [&hits](std::uint32_t target) { hits.targets.push_back(target); });
    return hits;
  }
  auto cursor = column.Open(entry);
  for (bool more = cursor.SeekTo(range.begin); more && cursor.target() < range.end; more = cursor.Next()) {
    hits.targets.push_back(cursor.target());
    hits.frequencies.push_back(cursor.Frequency());
  }
  return hits;
}

TextHits FindAny(const TextColumn& column, const std::vector<TermEntry>& entries, bool frequencies,
                 DocRange range) {
  TextHits hits;
  if (!frequencies) {
    for (const auto& entry : entries)
      ForEachTarget(column.Open(entry), range.begin, range.end,
                    [&hits](std::uint32_t target) { hits.targets.push_back(target); });
    if (entries.size() > 1) {
      std::sort(hits.targets.begin(), hits.targets.end());
      hits.targets.erase(std::unique(hits.targets.begin(), hits.targets.end()), hits.targets.end());
    }
    return hits;
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> all;
  for (const auto& entry : entries) {
    auto cursor = column.Open(entry);
    for (bool more = cursor.SeekTo(range.begin); more && cursor.target() < range.end; more = cursor.Next())
      all.emplace_back(cursor.target(), cursor.Frequency());
  }
  std::sort(all.begin(), all.end());
  for (const auto& [target, frequency] : all) {
    if (hits.targets.empty() || hits.targets.back() != target) {
      hits.targets.push_back(target);
      hits.frequencies.push_back(0);
    }
    hits.frequencies.back() += frequency;
  }
  return hits;
}

/// The lists of many tokens as one.
struct MergedList {
  struct At {
    std::uint32_t target = 0, position = 0;
    auto operator<=>(const At&) const = default;
  };
  std::vector<At> all;  // rising

  MergedList(const TextColumn& column, const std::vector<TermEntry>& entries) {
    std::vector<std::uint32_t> positions;
    for (const auto& entry : entries)
      for (auto cursor = column.Open(entry); cursor.Next();) {
        cursor.Positions(positions);
        for (const auto position : positions) all.push_back({cursor.target(), position});
      }
    std::sort(all.begin(), all.end());
  }
  auto Begin(std::uint32_t target) const { return std::lower_bound(all.begin(), all.end(), At{target, 0}); }
};

/// One part of a phrase: the cursors of the tokens it stands for, or their merged list.
struct PhrasePart {
  std::uint32_t offset = 0;
  std::uint64_t count = 0;
  std::vector<TermEntry> entries;
  std::vector<PostingsCursor> cursors;
  std::shared_ptr<const MergedList> merged;  // shared by parts with the same token
  std::vector<std::uint32_t> positions, scratch;

  /// Positions in `target` less the offset; those before the offset cannot begin a phrase.
  void Load(std::uint32_t target, std::uint32_t slop) {
    positions.clear();
    if (merged != nullptr)
      for (auto at = merged->Begin(target); at != merged->all.end() && at->target == target; ++at)
        if (at->position + slop >= offset) positions.push_back(at->position + slop - offset);
    for (auto& cursor : cursors) {
      if (!cursor.SeekTo(target) || cursor.target() != target) continue;
      cursor.Positions(scratch);
      for (const auto p : scratch)
        if (p + slop >= offset) positions.push_back(p + slop - offset);
    }
    if (cursors.size() > 1) std::sort(positions.begin(), positions.end());
  }
};

/// Times that all parts stand in their places in `target`. The rare ones are read first: most candidates fail
/// with them, and the positions of the others are then not unpacked.
std::uint32_t CountExact(std::vector<PhrasePart>& parts, const std::vector<std::size_t>& order,
                         std::uint32_t target) {
  parts[order[0]].Load(target, 0);
  auto& wanted = parts[order[0]].positions;
  for (std::size_t i = 1; i < order.size() && !wanted.empty(); ++i) {
    auto& part = parts[order[i]];
    if (part.cursors.size() == 1) {
      auto& cursor = part.cursors[0];
      if (!cursor.SeekTo(target) || cursor.target() != target) return 0;
      cursor.KeepFollowed(part.offset, wanted);
      continue;
    }
    part.Load(target, 0);
    auto at = part.positions.begin();
    std::erase_if(wanted, [&](std::uint32_t position) {
      while (at != part.positions.end() && *at < position) ++at;
      return at == part.positions.end() || *at != position;
    });
  }
  return static_cast<std::uint32_t>(wanted.size());
}

/// Times that the parts stand within `slop` of their places: windows over the merged positions.
std::uint32_t CountSloppy(std::vector<PhrasePart>& parts, std::uint32_t slop) {
  std::uint32_t count = 0;
  std::vector<std::size_t> at(parts.size());
  for (;;) {
    std::size_t least = 0;
    std::uint32_t low = UINT32_MAX, high = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (at[i] >= parts[i].positions.size()) return count;
      const auto position = parts[i].positions[at[i]];
      high = std::max(high, position);
      if (position < low) low = position, least = i;
    }
    if (high - low <= slop) ++count;
    ++at[least];
  }
}

/// Keeps the candidates that are in one of the part's lists. `bits` is memory for this.
void Intersect(const TextColumn& column, const PhrasePart& part, std::uint64_t count_in_span,
               std::vector<std::uint64_t>& bits, std::vector<std::uint32_t>& candidates) {
  const auto first = candidates.front(), last = candidates.back();
  // Finding one target in a block of 128 costs about as much as unpacking a quarter of the block.
  constexpr std::uint64_t kSeek = 32;
  if (part.entries.size() == 1 && candidates.size() * kSeek < count_in_span) {
    auto cursor = column.Open(part.entries[0]);
    std::size_t kept = 0;
    for (const auto target : candidates) {
      if (!cursor.SeekTo(target)) break;
      if (cursor.target() == target) candidates[kept++] = target;
    }
    candidates.resize(kept);
    return;
  }
  bits.assign((last - first) / 64 + std::size_t{1}, 0);
  for (const auto& entry : part.entries)
    ForEachTarget(column.Open(entry), first, last + 1, [&](std::uint32_t target) {
      bits[(target - first) / 64] |= 1ULL << ((target - first) % 64);
    });
  std::size_t kept = 0;
  for (const auto target : candidates) {
    candidates[kept] = target;
    kept += bits[(target - first) / 64] >> ((target - first) % 64) & 1;
  }
  candidates.resize(kept);
}

TextHits FindPhrase(const TextColumn& column, const TextClause& clause, std::uint32_t slop, bool frequencies,
                    DocRange range) {
  std::vector<PhrasePart> parts(clause.parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].entries = Entries(column, clause.parts[i]);
    if (parts[i].entries.empty()) return {};
    parts[i].offset = clause.parts[i].offset;
    for (const auto& entry : parts[i].entries) parts[i].count += entry.doc_count;
  }
  // The rarest part proposes and the others agree or not, before any positions are read.
  std::vector<std::size_t> order(parts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return parts[a].count < parts[b].count; });
  auto candidates = FindAny(column, parts[order[0]].entries, false, range).targets;
  std::vector<std::uint64_t> bits;
  for (std::size_t i = 1; i < order.size() && !candidates.empty(); ++i) {
    const auto& part = parts[order[i]];
    const double share = static_cast<double>(candidates.back() - candidates.front() + 1) /
                         static_cast<double>(std::max<std::size_t>(column.lengths.size(), 1));
    const auto before = candidates.size();
    Intersect(column, part,
              static_cast<std::uint64_t>(static_cast<double>(part.count) * std::min(share, 1.0)), bits,
              candidates);
    // What is left agrees so far: the positions, which are read in any case, say the rest.
    if (candidates.size() * 4 > before * 3) break;
  }
  if (candidates.empty()) return {};
  std::size_t cursors = 0;
  std::map<std::string_view, std::shared_ptr<const MergedList>> merged;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& entries = parts[i].entries;
    if (entries.size() == 1 ||
        (entries.size() <= kCursorsOfPart && cursors + entries.size() <= kCursorsOfPhrase)) {
      cursors += entries.size();
      for (const auto& entry : entries) parts[i].cursors.push_back(column.Open(entry));
      continue;
    }
    auto& list = merged[clause.parts[i].term];
    if (list == nullptr) list = std::make_shared<const MergedList>(column, entries);
    parts[i].merged = list;
  }
  TextHits hits;
  for (const auto target : candidates) {
    if (slop > 0)
      for (auto& part : parts) part.Load(target, slop);
    const auto count = slop == 0 ? CountExact(parts, order, target) : CountSloppy(parts, slop);
    if (count == 0) continue;
    hits.targets.push_back(target);
    if (frequencies) hits.frequencies.push_back(count);
  }
  return hits;
}

}  // namespace

std::vector<TextClause> WordClauses(Analyzer& analyzer, std::string_view text) {
  std::vector<Token> tokens;
  analyzer.Analyze(text, tokens);
  std::vector<TextClause> clauses;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    TextClause clause;
    if (tokens[i].kind == TokenKind::kWord) {
      clause.parts.push_back({std::string(tokens[i].text), false, 0});
    } else if (tokens[i].kind == TokenKind::kSingle) {
      clause.parts.push_back({std::string(tokens[i].text), true, 0});
    } else if (tokens[i].kind == TokenKind::kEmoji) {
      const auto run = tokens[i].run;
      for (std::uint32_t offset = 0; i < tokens.size() && tokens[i].run == run; ++i, ++offset)
        clause.parts.push_back({std::string(tokens[i].text), false, offset});
      --i;
    } else {
      for (std::uint32_t offset = 0; i < tokens.size() && tokens[i].kind == TokenKind::kPair; ++i, ++offset)
        clause.parts.push_back({std::string(tokens[i].text), false, offset});
      // tokens[i] is now the run's last character alone, which the last pair holds already.
    }
    clauses.push_back(std::move(clause));
  }
  return clauses;
}

TextClause PhraseClause(Analyzer& analyzer, std::string_view text) {
  std::vector<Token> tokens;
  analyzer.Analyze(text, tokens);
  TextClause clause;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool single = tokens[i].kind == TokenKind::kSingle;
    if (single && i > 0 && tokens[i - 1].run == tokens[i].run) continue;
    clause.parts.push_back({std::string(tokens[i].text), single, static_cast<std::uint32_t>(i)});
  }
  return clause;
}

void OpenEnd(TextClause& clause) {
  if (!clause.parts.empty()) clause.parts.back().prefix = true;
}

TextHits FindClause(const TextColumn& column, const TextClause& clause, std::uint32_t slop, bool frequencies,
                    DocRange range) {
  range.end = static_cast<std::uint32_t>(std::min<std::size_t>(range.end, column.lengths.size()));
  if (clause.parts.empty() || range.begin >= range.end) return {};
  if (clause.parts.size() > 1) return FindPhrase(column, clause, slop, frequencies, range);
  const auto entries = Entries(column, clause.parts[0]);
  if (entries.size() == 1) return FindTerm(column, entries[0], frequencies, range);
  return FindAny(column, entries, frequencies, range);
}

}  // namespace honryu::search
