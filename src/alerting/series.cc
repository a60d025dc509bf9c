#include "honryu/alerting/series.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <tuple>
#include <utility>

namespace honryu::alerting {

namespace {

constexpr std::size_t kMostWindows = 16;  // of one key: those that may still get late rows
constexpr std::int64_t kMostEmpty = 720;  // buckets given out for a silence: an hour of five seconds
constexpr std::size_t kMostRow = 4096;
constexpr std::string_view kRevision = "revision";

std::optional<double> NumberOf(const codec::Json* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->DoubleOr(0);
  if (value->is_bool()) return value->BoolOr(false) ? 1.0 : 0.0;
  if (!value->is_string()) return std::nullopt;
  const std::string_view text = value->StringOr("");
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::int64_t WindowOf(const codec::Json& record, const std::string& field) {
  const std::optional<Timestamp> start = WindowStart(record, field);
  return start.has_value() ? ToMs(*start) : 0;
}

Error Wrong(std::string message) {
  return Error(ErrorCode::kInvalidArgument, "series: " + std::move(message));
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] != '*' && pattern[p] == text[t]))) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

const codec::Json* FindPath(const codec::Json& record, std::string_view path) {
  if (const codec::Json* whole = record.Find(path); whole != nullptr) return whole;
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const codec::Json* outer = record.Find(path.substr(0, dot));
  return outer == nullptr ? nullptr : FindPath(*outer, path.substr(dot + 1));
}

std::optional<Timestamp> WindowStart(const codec::Json& record, std::string_view field) {
  const codec::Json* start = field.empty() ? nullptr : FindPath(record, field);
  if (start == nullptr) return std::nullopt;
  if (start->is_number()) return TimestampFromMs(start->IntOr(static_cast<std::int64_t>(start->DoubleOr(0))));
  const Result<Timestamp> time = ParseTimestamp(start->StringOr(""));
  if (!time.ok()) return std::nullopt;
  return *time;
}

std::string PlainText(const codec::Json* value) {
  if (value == nullptr) return "";
  if (value->is_string()) return std::string(value->StringOr(""));
  return value->Dump();
}

Result<void> SeriesSpec::Validate() const {
  for (const std::vector<std::string>* clauses : {&match, &per_match}) {
    for (const std::string& clause : *clauses) {
      if (clause.find('=') == std::string::npos || clause.front() == '=' || clause.starts_with("!="))
        return Wrong("match: expected field=value or field!=value, found " + clause);
    }
  }
  for (const std::string& field : key) {
    if (field.empty()) return Wrong("key: a field has no name");
  }
  if (resolution < std::chrono::milliseconds(100) || resolution > std::chrono::hours(1))
    return Wrong("resolution must lie between 100ms and 1h");
  if (max_keys < 1) return Wrong("max_keys must be at least 1");
  if (!(per_least >= 0)) return Wrong("per_least must not be negative");
  return Ok();
}

SeriesReader::SeriesReader(SeriesSpec spec)
    : spec_(std::move(spec)), match_(Clauses(spec_.match)), per_match_(Clauses(spec_.per_match)) {}

std::vector<SeriesReader::Clause> SeriesReader::Clauses(const std::vector<std::string>& texts) {
  std::vector<Clause> clauses;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const bool negated = equals > 0 && text[equals - 1] == '!';
    clauses.push_back({text.substr(0, equals - (negated ? 1 : 0)), text.substr(equals + 1), negated});
  }
  return clauses;
}

bool SeriesReader::Matches(const std::vector<Clause>& clauses, const codec::Json& record) {
  return std::all_of(clauses.begin(), clauses.end(), [&record](const Clause& clause) {
    return GlobMatch(clause.pattern, PlainText(FindPath(record, clause.field))) != clause.negated;
  });
}

SeriesReader::Key& SeriesReader::KeyOf(const std::string& name, Timestamp now, bool* fresh) {
  const auto found = keys_.find(name);
  *fresh = found == keys_.end();
  if (!*fresh) return found->second;
  if (keys_.size() >= spec_.max_keys) {
    const auto oldest = std::min_element(keys_.begin(), keys_.end(), [](const auto& a, const auto& b) {
      return a.second.seen < b.second.seen;
    });
    keys_.erase(oldest);
    ++evicted_;
  }
  Key& key = keys_[name];
  key.seen = key.value_seen = key.per_seen = now;
  // The bucket under way when a key is first seen is not whole.
  key.next_bucket = ToMs(now) / ToMs(spec_.resolution) + 1;
  return key;
}

void SeriesReader::Read(const codec::Json& record, BytesView text, Timestamp arrival,
                        std::vector<Sample>& out) {
  now_ = std::max(now_, arrival);
  const bool dividing = !spec_.per_match.empty();
  const bool is_value = Matches(match_, record);
  const bool is_per = dividing && Matches(per_match_, record);
  if (!is_value && !is_per) return;
  if (spec_.reading == Reading::kFinal) {
    const codec::Json* final_flag = FindPath(record, spec_.final_field);
    if (final_flag == nullptr || !final_flag->BoolOr(false)) return;
  }
  std::string name;
  for (const std::string& field : spec_.key)
    name += (name.empty() ? "" : ",") + field + "=" + PlainText(FindPath(record, field));
  std::optional<double> value, per;
  if (is_value) value = spec_.value.empty() ? 1.0 : NumberOf(FindPath(record, spec_.value));
  if (is_per) per = NumberOf(FindPath(record, spec_.per_value));
  if (!value.has_value() && !per.has_value()) return;

  const auto row_of = [&text] { return std::string(text.substr(0, kMostRow)); };
  if (spec_.reading != Reading::kIncrement && !dividing) {
    out.push_back({std::move(name), now_, *value, text.size() > kMostRow ? std::string() : row_of()});
    return;
  }
  bool fresh = false;
  Key& key = KeyOf(name, now_, &fresh);
  const std::int64_t start_ms = WindowOf(record, spec_.window_start);
  auto window = std::find_if(key.windows.begin(), key.windows.end(),
                             [start_ms](const Window& w) { return w.start_ms >= start_ms; });
  // What an unknown window held before cannot be told from what it has gained: of a new key, and of windows
  // older than all that are remembered.
  bool known = true;
  if (window == key.windows.end() || window->start_ms != start_ms) {
    known = !fresh && (key.windows.size() < kMostWindows || window != key.windows.begin());
    Window added;
    added.start_ms = start_ms;
    window = key.windows.insert(window, added);
    if (key.windows.size() > kMostWindows) {
      const bool dropped = window == key.windows.begin();
      key.windows.pop_front();
      if (dropped) return;
      window = std::find_if(key.windows.begin(), key.windows.end(),
                            [start_ms](const Window& w) { return w.start_ms == start_ms; });
    }
  }
  if (text.size() <= kMostRow && (is_value || key.row.empty())) key.row = row_of();
  if (spec_.reading == Reading::kIncrement) {
    // The buckets that end before this record are given out with what was known of them, its share included.
    if (value.has_value()) {
      if (known) Add(key, std::max(0.0, *value - window->value), false, key.value_seen, now_);
      window->value = std::max(window->value, *value);
      key.value_seen = now_;
    }
    if (per.has_value()) {
      if (known) Add(key, std::max(0.0, *per - window->per), true, key.per_seen, now_);
      window->per = std::max(window->per, *per);
      key.per_seen = now_;
    }
    key.seen = now_;
    GiveBuckets(name, key, now_, out);
    return;
  }
  key.seen = now_;
  const std::optional<double> revision = NumberOf(FindPath(record, kRevision));
  if (value.has_value()) {
    window->value = *value;
    window->value_revision = revision;
  }
  if (per.has_value()) {
    window->per = *per;
    window->per_revision = revision;
  }
  // Where there are revisions, one of them alone would be divided by what the other one was before.
  const bool fit = window->value_revision == window->per_revision;
  if (fit && window->per > 0 && window->per >= spec_.per_least)
    out.push_back({std::move(name), now_, window->value / window->per, key.row});
}

// Spreads `amount` evenly over (from, to], at most the last two buckets' length of it, and what of that was
// not given out yet.
void SeriesReader::Add(Key& key, double amount, bool per, Timestamp from, Timestamp to) {
  if (amount <= 0) return;
  const std::int64_t length = ToMs(spec_.resolution);
  const std::int64_t end = ToMs(to);
  const std::int64_t begin =
      std::max({std::min(ToMs(from), end - 1), end - 2 * length, key.next_bucket * length});
  for (std::int64_t bucket = begin / length; bucket * length < end; ++bucket) {
    const std::int64_t covered = std::min(end, (bucket + 1) * length) - std::max(begin, bucket * length);
    const auto place = static_cast<std::size_t>(bucket - key.next_bucket);
    if (key.buckets.size() <= place) key.buckets.resize(place + 1);
    const double share = amount * static_cast<double>(covered) / static_cast<double>(end - begin);
    (per ? key.buckets[place].per : key.buckets[place].value) += share;
  }
}

void SeriesReader::GiveBuckets(const std::string& name, Key& key, Timestamp now, std::vector<Sample>& out) {
  const std::int64_t length = ToMs(spec_.resolution);
  const std::int64_t last = (ToMs(now) - ToMs(kBucketGrace)) / length;  // buckets before it have ended
  if (last - key.next_bucket > kMostEmpty) {
    key.buckets.clear();
    key.next_bucket = last - kMostEmpty;
  }
  for (; key.next_bucket < last; ++key.next_bucket) {
    Bucket bucket;
    if (!key.buckets.empty()) {
      bucket = key.buckets.front();
      key.buckets.pop_front();
    }
    Sample sample;
    sample.key = name;
    sample.time = TimestampFromMs((key.next_bucket + 1) * length);
    sample.row = key.row;
    if (spec_.per_match.empty()) {
      sample.value = bucket.value;
    } else if (bucket.per > 0 && bucket.per >= spec_.per_least) {
      sample.value = bucket.value / bucket.per;
    } else {
      continue;
    }
    out.push_back(std::move(sample));
  }
}

void SeriesReader::Advance(Timestamp now, std::vector<Sample>& out) {
  now_ = std::max(now_, now);
  if (spec_.reading != Reading::kIncrement) return;
  for (auto& [name, key] : keys_) GiveBuckets(name, key, now_, out);
  std::sort(out.begin(), out.end(), [](const Sample& a, const Sample& b) {
    return std::tie(a.time, a.key) < std::tie(b.time, b.key);
  });
}

std::optional<Timestamp> SeriesReader::NextBucket() const {
  std::optional<Timestamp> due;
  if (spec_.reading != Reading::kIncrement) return due;
  for (const auto& [name, key] : keys_) {
    const Timestamp end = TimestampFromMs((key.next_bucket + 1) * ToMs(spec_.resolution)) +
                          std::chrono::duration_cast<std::chrono::milliseconds>(kBucketGrace);
    due = due.has_value() ? std::min(*due, end) : end;
  }
  return due;
}

}  // namespace honryu::alerting
