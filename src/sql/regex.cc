#include "sql/regex.h"

#include "sql/utf8.h"

namespace honryu::sql {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool IsWordAt(std::string_view text, std::size_t at) {
  if (at >= text.size()) return false;
  const char c = text[at];
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// The states of the machine at one place of the text, in order of priority, each at most once.
struct Threads {
  std::vector<std::uint32_t> order;
  std::vector<std::uint32_t> seen;  ///< Generation in which a step was added last.
  std::vector<std::size_t> slots;   ///< steps × slots.
  std::uint32_t generation = 0;
};

}  // namespace

bool Regex::Class::Has(std::uint32_t c) const {
  for (const auto& [low, high] : ranges)
    if (c >= low && c <= high) return !negated;
  return negated;
}

std::optional<std::vector<Regex::Span>> Regex::Run(std::string_view text, std::size_t from,
                                                   bool whole) const {
  const std::size_t width = 2 * groups_;
  Threads now, next;
  for (Threads* threads : {&now, &next}) {
    threads->seen.assign(steps_.size(), 0);
    threads->slots.assign(steps_.size() * width, kNone);
  }
  struct Pending {
    std::uint32_t step;
    std::vector<std::size_t> slots;
  };
  std::vector<Pending> stack;
  // Follows jumps, splits and assertions until a step that reads a character.
  const auto add = [&](Threads& threads, std::uint32_t first, std::vector<std::size_t> slots,
                       std::size_t at) {
    stack.push_back({first, std::move(slots)});
    while (!stack.empty()) {
      Pending pending = std::move(stack.back());
      stack.pop_back();
      const Step& step = steps_[pending.step];
      if (threads.seen[pending.step] == threads.generation) continue;
      threads.seen[pending.step] = threads.generation;
      switch (step.op) {
        case Op::kJump:
          stack.push_back({step.x, std::move(pending.slots)});
          continue;
        case Op::kSplit:
          stack.push_back({step.y, pending.slots});
          stack.push_back({step.x, std::move(pending.slots)});
          continue;
        case Op::kSave:
          pending.slots[step.x] = at;
          break;
        case Op::kStart:
          if (at != 0) continue;
          break;
        case Op::kEnd:
          if (at != text.size()) continue;
          break;
        case Op::kWord:
        case Op::kNotWord: {
          const bool boundary = (at > 0 && IsWordAt(text, at - 1)) != IsWordAt(text, at);
          if (boundary != (step.op == Op::kWord)) continue;
          break;
        }
        default:
          std::copy(pending.slots.begin(), pending.slots.end(),
                    threads.slots.begin() + static_cast<std::ptrdiff_t>(pending.step * width));
          threads.order.push_back(pending.step);
          continue;
      }
      stack.push_back({pending.step + 1, std::move(pending.slots)});
    }
  };

  std::optional<std::vector<Span>> found;
  now.generation = 1;
  for (std::size_t at = from;;) {
    const bool start_here = !found.has_value() && (!whole || at == from);
    if (start_here) add(now, 0, std::vector<std::size_t>(width, kNone), at);
    if (now.order.empty() && !start_here) break;
    std::string_view rest = text.substr(at);
    const bool end = rest.empty();
    std::uint32_t c = end ? 0 : TakeCharacter(&rest);
    if (ignore_case_) c = LowerAscii(c);
    const std::size_t after = text.size() - rest.size();
    next.order.clear();
    next.generation = now.generation + 1;
    for (const std::uint32_t place : now.order) {
      const Step& step = steps_[place];
      const auto slots = now.slots.begin() + static_cast<std::ptrdiff_t>(place * width);
      if (step.op == Op::kMatch) {
        if (whole && !end) continue;
        found.emplace();
        for (std::size_t group = 0; group < groups_; ++group)
          found->emplace_back(slots[static_cast<std::ptrdiff_t>(2 * group)],
                              slots[static_cast<std::ptrdiff_t>(2 * group + 1)]);
        break;  // those of lower priority lose
      }
      if (end) continue;
      const bool takes = step.op == Op::kAny    ? c != '\n'
                         : step.op == Op::kChar ? c == step.x
                                                : classes_[step.x].Has(c);
      if (takes)
        add(next, place + 1, std::vector<std::size_t>(slots, slots + static_cast<std::ptrdiff_t>(width)),
            after);
    }
    if (end) break;
    std::swap(now, next);
    at = after;
  }
  return found;
}

std::optional<std::vector<Regex::Span>> Regex::Search(std::string_view text, std::size_t from) const {
  if (from > text.size()) return {};
  return Run(text, from, false);
}

bool Regex::MatchesAll(std::string_view text) const { return Run(text, 0, true).has_value(); }

const Regex* RegexCache::Get(std::string_view pattern, bool similar, char escape) {
  constexpr std::size_t kMost = 64;
  std::string key = similar ? std::string(1, escape) : std::string(1, '\0');
  key += similar ? 's' : 'r';
  key += pattern;
  const auto found = known_.find(key);
  if (found != known_.end()) return found->second.get();
  if (known_.size() >= kMost) known_.clear();
  auto compiled = similar ? Regex::CompileSimilar(pattern, escape) : Regex::Compile(pattern);
  auto& slot = known_[std::move(key)];
  if (compiled.ok()) slot = std::make_unique<Regex>(std::move(*compiled));
  return slot.get();
}

// Greedy with one place to return to: the last % is the only one that needs to give way.
bool MatchesLike(std::string_view text, std::string_view pattern, char escape) {
  std::string_view retry_text, retry_pattern;
  bool can_retry = false;
  while (true) {
    if (!pattern.empty() && pattern[0] == '%' && !(escape == '%')) {
      pattern.remove_prefix(1);
      if (pattern.empty()) return true;
      retry_text = text;
      retry_pattern = pattern;
      can_retry = true;
      continue;
    }
    if (text.empty() && pattern.empty()) return true;
    bool same = false;
    if (!pattern.empty() && !text.empty()) {
      std::string_view after = pattern;
      std::uint32_t wanted = TakeCharacter(&after);
      const bool any = wanted == '_' && escape != '_';
      if (!any && escape != 0 && wanted == static_cast<unsigned char>(escape) && !after.empty())
        wanted = TakeCharacter(&after);
      std::string_view text_after = text;
      const std::uint32_t found = TakeCharacter(&text_after);
      same = any || wanted == found;
      if (same) {
        pattern = after;
        text = text_after;
      }
    }
    if (same) continue;
    if (!can_retry || retry_text.empty()) return false;
    TakeCharacter(&retry_text);
    text = retry_text;
    pattern = retry_pattern;
  }
}

}  // namespace honryu::sql
