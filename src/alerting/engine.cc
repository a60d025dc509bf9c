#include "honryu/alerting/engine.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace honryu::alerting {

namespace {

constexpr std::size_t kMostPoints = 60;  // kept of a series for its chart
constexpr std::size_t kMostNamed = 200;  // rules that SQL names
constexpr int kSnapshotVersion = 1;

std::chrono::milliseconds Ms(Duration d) { return std::chrono::milliseconds(ToMs(d)); }

std::string NumberText(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6);
  return std::string(text, error == std::errc() ? end : text);
}

// Replaces {name} of the four known names.
std::string Fill(const std::string& text, const Alert& alert) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find('{', at);
    const std::size_t close = open == std::string::npos ? open : text.find('}', open);
    if (close == std::string::npos) return out + text.substr(at);
    out += text.substr(at, open - at);
    const std::string name = text.substr(open + 1, close - open - 1);
    if (name == "rule") {
      out += alert.rule;
    } else if (name == "key") {
      out += alert.key.empty() ? "all" : alert.key;
    } else if (name == "value") {
      out += NumberText(alert.value);
    } else if (name == "limit") {
      out += NumberText(alert.limit);
    } else {
      out += text.substr(open, close - open + 1);
    }
    at = close + 1;
  }
  return out;
}

/// What a series has to be told of.
enum class Notice : std::uint8_t { kNone = 0, kFiring = 1, kResolved = 2, kNoData = 3 };

struct Series {
  SeriesState state;
  ConditionState condition;
  double value = 0;
  std::string row;
  std::deque<Point> points;
  // Of rules that SQL writes: what the row says.
  std::optional<double> limit;
  std::optional<Severity> severity;
  std::string summary;
  Notice notice = Notice::kNone;
  bool told = false;  // people know that it fires
  Timestamp seen{};
  Timestamp stepped{};          // of the last step…
  std::int64_t steps_then = 0;  // …and how many there were at that time: ids must differ
};

struct Group {
  std::optional<Timestamp> dirty;           // since when something waits
  std::optional<Timestamp> silenced_until;  // all that waits is silenced up to here
  std::optional<Timestamp> sent;
};

struct RuleState {
  Rule rule;
  SeriesReader reader;
  std::map<std::string, Series> series;
  std::map<std::string, Group> groups;
  std::deque<Timestamp> sends;  // of the flood window
  std::uint64_t evicted = 0;
  bool by_name = false;  // made by Named()

  explicit RuleState(Rule r) : rule(std::move(r)), reader(rule.series) {}
  bool names_others() const { return !rule.name_from.empty(); }
  /// The rule of that name; only where this one names others.
  RuleState Named(const std::string& name) const {
    Rule named = rule;
    named.name = name;
    named.series.match.push_back(rule.name_from + "=" + name);
    named.name_from.clear();
    RuleState state(std::move(named));
    state.by_name = true;
    return state;
  }
};

// Takes over what the row of a rule written in SQL says of itself.
void ReadTexts(const Rule& rule, Series& series) {
  if (rule.severity_from.empty() && rule.summary_from.empty() && rule.limit_from.empty()) return;
  series.limit.reset();
  series.severity.reset();
  series.summary.clear();
  const Result<codec::Json> row = codec::Json::Parse(series.row);
  if (!row.ok()) return;
  const auto field = [&row](const std::string& path) {
    return path.empty() ? nullptr : FindPath(*row, path);
  };
  if (const Result<Severity> severity = ParseSeverity(PlainText(field(rule.severity_from))); severity.ok())
    series.severity = *severity;
  series.summary = PlainText(field(rule.summary_from));
  if (const codec::Json* limit = field(rule.limit_from); limit != nullptr && limit->is_number())
    series.limit = limit->DoubleOr(0);
}

/// Something due: of a series (its state's next step or its end), or of a group (a notification).
struct Due {
  Timestamp at;
  std::size_t rule = 0;
  bool group = false;  // series before groups, so that what happens at a time is told of together
  std::string key;
  friend auto operator<=>(const Due& a, const Due& b) {
    return std::tie(a.at, a.group, a.rule, a.key) <=> std::tie(b.at, b.group, b.rule, b.key);
  }
};

}  // namespace

struct Engine::Impl {
  std::vector<RuleState> rules;
  std::vector<Silence> silences;
  std::set<Due> dues;
  std::map<std::tuple<std::size_t, bool, std::string>, Timestamp> due_of;
  Timestamp now{};

  // ---- timers ----
  void Schedule(std::size_t rule, bool group, const std::string& key, std::optional<Timestamp> at) {
    const auto id = std::make_tuple(rule, group, key);
    const auto found = due_of.find(id);
    if (found != due_of.end()) {
      if (at.has_value() && *at == found->second) return;
      dues.erase({found->second, rule, group, key});
      due_of.erase(found);
    }
    if (!at.has_value()) return;
    dues.insert({*at, rule, group, key});
    due_of.emplace(id, *at);
  }
  void ScheduleSeries(std::size_t index, const std::string& key) {
    const RuleState& r = rules[index];
    const auto found = r.series.find(key);
    if (found == r.series.end()) return Schedule(index, false, key, std::nullopt);
    std::optional<Timestamp> due = found->second.state.NextDue(r.rule.state);
    const AlertState state = found->second.state.state();
    if (state == AlertState::kOk || state == AlertState::kNoData) {
      const Timestamp end = std::max(found->second.seen + Ms(r.rule.forget_after),
                                     found->second.state.since() + std::chrono::milliseconds(1));
      due = due.has_value() ? std::min(*due, end) : end;
    }
    Schedule(index, false, key, due);
  }
  static std::string GroupOf(const Rule& rule, const std::string& key) {
    return rule.group_by_series ? key : std::string();
  }
  void ScheduleGroup(std::size_t index, const std::string& name) {
    RuleState& r = rules[index];
    Group& group = r.groups[name];
    std::optional<Timestamp> due;
    if (group.dirty.has_value()) {
      Timestamp at = *group.dirty + Ms(r.rule.group_wait);
      if (group.sent.has_value()) at = std::max(at, *group.sent + Ms(r.rule.group_interval));
      if (group.silenced_until.has_value()) at = std::max(at, *group.silenced_until);
      due = std::max(at, FloodFree(r));
    } else if (r.rule.repeat > Duration::zero() && group.sent.has_value() && Firing(r, name) > 0) {
      due = std::max(*group.sent + Ms(r.rule.repeat), FloodFree(r));
    }
    Schedule(index, true, name, due);
  }
  static Timestamp FloodFree(const RuleState& r) {
    if (r.sends.size() < r.rule.flood.limit) return Timestamp();
    return r.sends[r.sends.size() - r.rule.flood.limit] + Ms(r.rule.flood.window);
  }
  /// Series of the group that people know to fire.
  static std::size_t Firing(const RuleState& r, const std::string& group) {
    return static_cast<std::size_t>(std::count_if(r.series.begin(), r.series.end(), [&](const auto& entry) {
      return entry.second.told && GroupOf(r.rule, entry.first) == group;
    }));
  }

  // ---- what comes out ----
  static Alert AlertOf(const Rule& rule, const std::string& key, const Series& series) {
    Alert alert;
    alert.rule = rule.name;
    alert.key = key;
    alert.state = series.state.state();
    alert.severity = series.severity.value_or(rule.severity);
    alert.at = series.state.since();
    const bool fired = alert.state == AlertState::kFiring || alert.state == AlertState::kResolved ||
                       (alert.state == AlertState::kNoData && series.state.was_firing());
    alert.since = fired ? series.state.firing_since() : alert.at;
    alert.value = series.value;
    alert.limit = series.limit.value_or(series.condition.limit());
    alert.row = series.row;
    alert.points.assign(series.points.begin(), series.points.end());
    const std::string& summary = series.summary.empty() ? rule.summary : series.summary;
    alert.summary = Fill(summary.empty() ? "{rule}: {key} is {value}, limit {limit}" : summary, alert);
    return alert;
  }
  const Silence* SilencedBy(const Rule& rule, const std::string& key, Timestamp at) const {
    const Silence* longest = nullptr;
    for (const Silence& silence : silences) {
      if (silence.Covers(rule.name, key, at) && (longest == nullptr || silence.until > longest->until))
        longest = &silence;
    }
    return longest;
  }

  void Take(std::size_t index, const std::string& key, const std::vector<Transition>& steps,
            EngineOutput& out) {
    RuleState& r = rules[index];
    Series& series = r.series.at(key);
    for (const Transition& step : steps) {
      Change change;
      change.from = step.from;
      change.alert = AlertOf(r.rule, key, series);
      // Several steps may come at once; each is told as it was.
      change.alert.state = step.to;
      change.alert.at = step.at;
      change.alert.since =
          step.to == AlertState::kFiring || step.to == AlertState::kResolved ? step.firing_since : step.at;
      series.steps_then = step.at == series.stepped ? series.steps_then + 1 : 0;
      series.stepped = step.at;
      change.id = change.alert.Fingerprint() + "/" + std::string(AlertStateName(step.to)) + "/" +
                  std::to_string(ToMs(step.at));
      if (series.steps_then > 0) change.id += "." + std::to_string(series.steps_then);
      change.silenced = SilencedBy(r.rule, key, step.at) != nullptr;
      out.changes.push_back(std::move(change));
      NoteStep(index, key, step);
    }
  }

  // What is waiting to be told follows the steps: what was not told yet and is over again is not told at all.
  void NoteStep(std::size_t index, const std::string& key, const Transition& step) {
    RuleState& r = rules[index];
    Series& series = r.series.at(key);
    if (step.to == AlertState::kFiring) {
      series.notice = series.told ? Notice::kNone : Notice::kFiring;
    } else if (step.to == AlertState::kResolved) {
      series.notice = series.told && r.rule.notify_resolved ? Notice::kResolved : Notice::kNone;
      if (!r.rule.notify_resolved) series.told = false;
    } else if (step.to == AlertState::kNoData && r.rule.notify_no_data) {
      series.notice = Notice::kNoData;
    } else if (step.to == AlertState::kOk && series.notice == Notice::kNoData) {
      series.notice = Notice::kNone;
    }
    const std::string name = GroupOf(r.rule, key);
    Group& group = r.groups[name];
    if (series.notice != Notice::kNone) {
      group.silenced_until.reset();
      if (!group.dirty.has_value()) group.dirty = step.at;
    }
    ScheduleGroup(index, name);
  }

  void Send(std::size_t index, const std::string& name, Timestamp at, EngineOutput& out) {
    RuleState& r = rules[index];
    Group& group = r.groups[name];
    Notification note;
    note.severity = Severity::kInfo;
    note.reminder = !group.dirty.has_value();
    std::optional<Timestamp> silenced_until;
    bool waiting = false;
    for (auto& [key, series] : r.series) {
      if (GroupOf(r.rule, key) != name) continue;
      const bool remind = note.reminder && series.told && series.state.state() == AlertState::kFiring;
      if (series.notice == Notice::kNone && !remind) continue;
      if (const Silence* silence = SilencedBy(r.rule, key, at); silence != nullptr) {
        waiting = waiting || series.notice != Notice::kNone;
        silenced_until =
            silenced_until.has_value() ? std::min(*silenced_until, silence->until) : silence->until;
        continue;
      }
      if (series.notice == Notice::kFiring) series.told = true;
      if (series.notice == Notice::kResolved) series.told = false;
      series.notice = Notice::kNone;
      note.severity = std::max(note.severity, series.severity.value_or(r.rule.severity));
      if (note.alerts.size() < Notification::kMostAlerts) {
        note.alerts.push_back(AlertOf(r.rule, key, series));
      } else {
        ++note.more;
      }
    }
    group.dirty.reset();
    group.silenced_until.reset();
    if (waiting) {
      group.dirty = at;
      group.silenced_until = silenced_until;
    }
    if (!note.alerts.empty()) {
      note.group = r.rule.name + (name.empty() ? "" : "{" + name + "}");
      note.id = note.group + "/" + std::to_string(ToMs(at));
      note.rule = r.rule.name;
      note.at = at;
      note.channels = r.rule.channels;
      note.firing = Firing(r, name);
      out.notifications.push_back(std::move(note));
      r.sends.push_back(at);
      while (r.sends.size() > r.rule.flood.limit) r.sends.pop_front();
      group.sent = at;
    } else if (!group.dirty.has_value()) {
      group.sent = at;  // a reminder of what is silenced: look again after another `repeat`
    }
    ScheduleGroup(index, name);
    // Room in the flood window is shared by the rule's groups.
    for (const auto& [other, state] : r.groups) {
      if (other != name && state.dirty.has_value()) ScheduleGroup(index, other);
    }
  }

  // ---- samples ----
  void Observe(std::size_t index, const Sample& sample, EngineOutput& out) {
    RuleState& r = rules[index];
    auto found = r.series.find(sample.key);
    if (found == r.series.end()) {
      if (r.series.size() >= r.rule.series.max_keys) MakeRoom(index);
      found = r.series.try_emplace(sample.key).first;
    }
    Series& series = found->second;
    series.seen = std::max(series.seen, sample.time);
    series.value = sample.value;
    series.row = sample.row;
    series.points.push_back({sample.time, sample.value});
    if (series.points.size() > kMostPoints) series.points.pop_front();
    ReadTexts(r.rule, series);
    const bool breach = series.condition.Observe(r.rule.when, sample.time, sample.value);
    std::vector<Transition> steps;
    series.state.Observe(r.rule.state, sample.time, breach, steps);
    Take(index, sample.key, steps, out);
    ScheduleSeries(index, sample.key);
  }

  bool Knows(const std::string& name) const {
    return std::any_of(rules.begin(), rules.end(),
                       [&name](const RuleState& r) { return !r.names_others() && r.rule.name == name; });
  }
  /// A record may name a rule that is new.
  Result<void> MeetNames(const codec::Json& record) {
    const std::size_t count = rules.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (!rules[i].names_others()) continue;
      const std::string name = PlainText(FindPath(record, rules[i].rule.name_from));
      if (!IsRuleName(name))
        return Error(ErrorCode::kInvalidArgument,
                     "no name of a rule: expected 1 to 100 characters, none of them one of {}/*?");
      if (Knows(name)) continue;
      if (rules.size() >= kMostNamed) return Error(ErrorCode::kOverloaded, "too many rules written in SQL");
      RuleState named = rules[i].Named(name);
      rules.push_back(std::move(named));
    }
    return Ok();
  }
  // The series not seen for longest goes, one that is OK if there is any.
  void MakeRoom(std::size_t index) {
    RuleState& r = rules[index];
    const auto rank = [](const Series& s) {
      return std::make_pair(s.state.state() != AlertState::kOk, s.seen);
    };
    const auto least = std::min_element(r.series.begin(), r.series.end(), [&](const auto& a, const auto& b) {
      return rank(a.second) < rank(b.second);
    });
    const std::string key = least->first;
    r.series.erase(least);
    ++r.evicted;
    ScheduleSeries(index, key);
    DropGroup(index, key);
  }
  void DropGroup(std::size_t index, const std::string& key) {
    RuleState& r = rules[index];
    if (!r.rule.group_by_series) return;
    r.groups.erase(key);
    Schedule(index, true, key, std::nullopt);
  }

  // ---- time ----
  void RunDue(const Due& due, EngineOutput& out) {
    RuleState& r = rules[due.rule];
    dues.erase(due);
    due_of.erase(std::make_tuple(due.rule, due.group, due.key));
    if (due.group) return Send(due.rule, due.key, due.at, out);
    const auto found = r.series.find(due.key);
    if (found == r.series.end()) return;
    std::vector<Transition> steps;
    found->second.state.Advance(r.rule.state, due.at, steps);
    Take(due.rule, due.key, steps, out);
    const AlertState state = found->second.state.state();
    const bool quiet = state == AlertState::kOk || state == AlertState::kNoData;
    if (steps.empty() && quiet && found->second.notice == Notice::kNone &&
        due.at >= found->second.seen + Ms(r.rule.forget_after)) {
      const std::string key = due.key;
      r.series.erase(found);
      DropGroup(due.rule, key);
      return;
    }
    ScheduleSeries(due.rule, due.key);
  }
  void RunUpTo(Timestamp time, EngineOutput& out) {
    while (!dues.empty() && dues.begin()->at <= time) {
      const Due due = *dues.begin();
      RunDue(due, out);
    }
  }
  /// Feeds samples in order of time, with what is due before each of them.
  void Feed(std::vector<std::pair<std::size_t, Sample>>& samples, EngineOutput& out) {
    std::sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) {
      return std::tie(a.second.time, a.first, a.second.key) < std::tie(b.second.time, b.first, b.second.key);
    });
    for (auto& [index, sample] : samples) {
      RunUpTo(sample.time - std::chrono::milliseconds(1), out);
      Observe(index, sample, out);
    }
  }
};

Engine::Engine(std::vector<Rule> rules) : impl_(std::make_unique<Impl>()) {
  for (Rule& rule : rules) {
    if (rule.enabled) impl_->rules.emplace_back(std::move(rule));
  }
}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<void> Engine::Process(BytesView record, Timestamp arrival, EngineOutput& out) {
  HONRYU_TRY(const codec::Json json, codec::Json::Parse(record));
  if (!json.is_object()) return Error(ErrorCode::kInvalidArgument, "the record is no JSON object");
  Impl& p = *impl_;
  Result<void> named = p.MeetNames(json);  // told at the end: other rules take the record in any case
  p.now = std::max(p.now, arrival);
  std::vector<std::pair<std::size_t, Sample>> samples;
  std::vector<Sample> read;
  for (std::size_t i = 0; i < p.rules.size(); ++i) {
    read.clear();
    if (!p.rules[i].names_others()) p.rules[i].reader.Read(json, record, p.now, read);
    for (Sample& sample : read) samples.emplace_back(i, std::move(sample));
  }
  p.Feed(samples, out);
  return named;
}

void Engine::Advance(Timestamp now, EngineOutput& out) {
  Impl& p = *impl_;
  p.now = std::max(p.now, now);
  std::vector<std::pair<std::size_t, Sample>> samples;
  std::vector<Sample> read;
  for (std::size_t i = 0; i < p.rules.size(); ++i) {
    read.clear();
    p.rules[i].reader.Advance(p.now, read);
    for (Sample& sample : read) samples.emplace_back(i, std::move(sample));
  }
  p.Feed(samples, out);
  p.RunUpTo(p.now, out);
}

void Engine::SetSilences(std::vector<Silence> silences) {
  Impl& p = *impl_;
  p.silences = std::move(silences);
  // A silence that was taken back or shortened does not hold anything back any more.
  for (std::size_t i = 0; i < p.rules.size(); ++i) {
    std::vector<std::string> names;
    for (auto& [name, group] : p.rules[i].groups) {
      if (!group.silenced_until.has_value()) continue;
      group.silenced_until.reset();
      names.push_back(name);
    }
    for (const std::string& name : names) p.ScheduleGroup(i, name);
  }
}

std::vector<Alert> Engine::Active() const {
  std::vector<Alert> active;
  for (const RuleState& r : impl_->rules) {
    for (const auto& [key, series] : r.series) {
      if (series.state.state() != AlertState::kOk) active.push_back(Impl::AlertOf(r.rule, key, series));
    }
  }
  return active;
}

std::size_t Engine::series() const {
  std::size_t count = 0;
  for (const RuleState& r : impl_->rules) count += r.series.size();
  return count;
}

std::uint64_t Engine::evicted() const {
  std::uint64_t count = 0;
  for (const RuleState& r : impl_->rules) count += r.evicted + r.reader.evicted();
  return count;
}

namespace {

void WritePoints(std::string_view name, const std::deque<Point>& points, codec::JsonWriter& json) {
  json.Key(name);
  json.BeginArray();
  for (const Point& point : points) {
    json.Int(ToMs(point.time));
    json.Double(point.value);
  }
  json.EndArray();
}

void WriteTime(std::string_view name, const std::optional<Timestamp>& time, codec::JsonWriter& json) {
  if (!time.has_value()) return;
  json.Key(name);
  json.Int(ToMs(*time));
}

void WriteSeries(const std::string& key, const Series& series, codec::JsonWriter& json) {
  const SeriesState::Raw raw = series.state.raw();
  json.BeginObject();
  json.Key("key");
  json.String(key);
  json.Key("state");
  json.BeginArray();
  json.Int(static_cast<int>(raw.state));
  for (const std::int64_t ms : {raw.since_ms, raw.firing_since_ms, raw.last_sample_ms, raw.clear_since_ms})
    json.Int(ms);
  for (const bool flag : {raw.has_sample, raw.clearing, raw.was_firing, raw.stale_done})
    json.Int(flag ? 1 : 0);
  json.EndArray();
  json.Key("breach");
  json.Bool(series.condition.breach());
  json.Key("value");
  json.Double(series.value);
  json.Key("limit");
  json.Double(series.condition.limit());
  json.Key("notice");
  json.Int(static_cast<int>(series.notice));
  json.Key("told");
  json.Bool(series.told);
  json.Key("seen");
  json.Int(ToMs(series.seen));
  json.Key("stepped");
  json.Int(ToMs(series.stepped));
  json.Key("steps_then");
  json.Int(series.steps_then);
  const std::deque<Point>& baseline = series.condition.baseline();
  if (!baseline.empty()) WritePoints("baseline", baseline, json);
  // Rows and charts matter where people look.
  if (raw.state != AlertState::kOk) {
    WritePoints("points", series.points, json);
    json.Key("row");
    json.String(series.row);
  }
  json.EndObject();
}

std::int64_t IntOf(const codec::Json& object, std::string_view key, std::int64_t fallback = 0) {
  const codec::Json* member = object.Find(key);
  return member == nullptr ? fallback : member->IntOr(fallback);
}
std::optional<Timestamp> TimeOf(const codec::Json& object, std::string_view key) {
  const codec::Json* member = object.Find(key);
  if (member == nullptr) return std::nullopt;
  return TimestampFromMs(member->IntOr(0));
}
std::string TextOf(const codec::Json& object, std::string_view key) {
  const codec::Json* member = object.Find(key);
  return member == nullptr ? std::string() : std::string(member->StringOr(""));
}

std::deque<Point> ReadPoints(const codec::Json* list) {
  std::deque<Point> points;
  if (list == nullptr) return points;
  const codec::Json::Array& numbers = list->array();
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2)
    points.push_back({TimestampFromMs(numbers[i].IntOr(0)), numbers[i + 1].DoubleOr(0)});
  return points;
}

Error Damaged() { return Error(ErrorCode::kCorrupt, "the saved state of the alert rules cannot be read"); }

Result<Series> ReadSeries(const codec::Json& object) {
  const codec::Json* state = object.Find("state");
  if (state == nullptr || state->array().size() != 9) return Damaged();
  const codec::Json::Array& fields = state->array();
  const std::int64_t number = fields[0].IntOr(-1);
  if (number < 0 || number > 4) return Damaged();
  SeriesState::Raw raw;
  raw.state = static_cast<AlertState>(number);
  raw.since_ms = fields[1].IntOr(0);
  raw.firing_since_ms = fields[2].IntOr(0);
  raw.last_sample_ms = fields[3].IntOr(0);
  raw.clear_since_ms = fields[4].IntOr(0);
  raw.has_sample = fields[5].IntOr(0) != 0;
  raw.clearing = fields[6].IntOr(0) != 0;
  raw.was_firing = fields[7].IntOr(0) != 0;
  raw.stale_done = fields[8].IntOr(0) != 0;
  Series series;
  series.state = SeriesState::FromRaw(raw);
  const codec::Json* breach = object.Find("breach");
  const codec::Json* value = object.Find("value");
  series.value = value == nullptr ? 0 : value->DoubleOr(0);
  const codec::Json* limit = object.Find("limit");
  series.condition =
      ConditionState(breach != nullptr && breach->BoolOr(false), limit == nullptr ? 0 : limit->DoubleOr(0),
                     ReadPoints(object.Find("baseline")));
  const std::int64_t notice = IntOf(object, "notice");
  if (notice < 0 || notice > 3) return Damaged();
  series.notice = static_cast<Notice>(notice);
  const codec::Json* told = object.Find("told");
  series.told = told != nullptr && told->BoolOr(false);
  series.seen = TimestampFromMs(IntOf(object, "seen"));
  series.stepped = TimestampFromMs(IntOf(object, "stepped"));
  series.steps_then = IntOf(object, "steps_then");
  series.points = ReadPoints(object.Find("points"));
  series.row = TextOf(object, "row");
  return series;
}

}  // namespace

std::string Engine::Snapshot() const {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("v");
  json.Int(kSnapshotVersion);
  json.Key("now");
  json.Int(ToMs(impl_->now));
  json.Key("rules");
  json.BeginArray();
  for (const RuleState& r : impl_->rules) {
    if (r.names_others()) continue;
    json.BeginObject();
    json.Key("name");
    json.String(r.rule.name);
    json.Key("sends");
    json.BeginArray();
    for (const Timestamp at : r.sends) json.Int(ToMs(at));
    json.EndArray();
    json.Key("groups");
    json.BeginArray();
    for (const auto& [name, group] : r.groups) {
      json.BeginObject();
      json.Key("name");
      json.String(name);
      WriteTime("dirty", group.dirty, json);
      WriteTime("silenced_until", group.silenced_until, json);
      WriteTime("sent", group.sent, json);
      json.EndObject();
    }
    json.EndArray();
    json.Key("series");
    json.BeginArray();
    for (const auto& [key, series] : r.series) WriteSeries(key, series, json);
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return text;
}

Result<void> Engine::Restore(std::string_view snapshot) {
  Impl& p = *impl_;
  std::vector<RuleState> fresh;
  for (const RuleState& r : p.rules) {
    if (!r.by_name) fresh.emplace_back(r.rule);
  }
  const auto reset = [&p](std::vector<RuleState> rules) {
    p.rules = std::move(rules);
    p.dues.clear();
    p.due_of.clear();
    p.now = Timestamp();
  };
  reset(fresh);
  Result<codec::Json> json = codec::Json::Parse(snapshot);
  if (!json.ok()) return Damaged();
  if (IntOf(*json, "v") != kSnapshotVersion)
    return Error(ErrorCode::kUnimplemented, "the saved state of the alert rules is of another version");
  const codec::Json* rules = json->Find("rules");
  if (rules == nullptr) return Damaged();
  std::vector<RuleState> restored = fresh;
  for (const codec::Json& one : rules->array()) {
    const std::string name = TextOf(one, "name");
    const auto named = [&name](const RuleState& state) {
      return !state.names_others() && state.rule.name == name;
    };
    auto r = std::find_if(restored.begin(), restored.end(), named);
    if (r == restored.end()) {
      // One that SQL named.
      const auto others = std::find_if(restored.begin(), restored.end(),
                                       [](const RuleState& state) { return state.names_others(); });
      if (others == restored.end() || !IsRuleName(name) || restored.size() >= kMostNamed) continue;
      RuleState made = others->Named(name);
      restored.push_back(std::move(made));
      r = restored.end() - 1;
    }
    if (const codec::Json* sends = one.Find("sends"); sends != nullptr) {
      for (const codec::Json& at : sends->array()) r->sends.push_back(TimestampFromMs(at.IntOr(0)));
    }
    if (const codec::Json* groups = one.Find("groups"); groups != nullptr) {
      for (const codec::Json& object : groups->array()) {
        Group& group = r->groups[TextOf(object, "name")];
        group.dirty = TimeOf(object, "dirty");
        group.silenced_until = TimeOf(object, "silenced_until");
        group.sent = TimeOf(object, "sent");
      }
    }
    if (const codec::Json* list = one.Find("series"); list != nullptr) {
      for (const codec::Json& object : list->array()) {
        Result<Series> series = ReadSeries(object);
        if (!series.ok()) return series.error();
        ReadTexts(r->rule, *series);
        r->series[TextOf(object, "key")] = std::move(*series);
      }
    }
  }
  reset(std::move(restored));
  p.now = TimestampFromMs(IntOf(*json, "now"));
  for (std::size_t i = 0; i < p.rules.size(); ++i) {
    for (const auto& [key, series] : p.rules[i].series) p.ScheduleSeries(i, key);
    std::vector<std::string> names;
    for (const auto& [name, group] : p.rules[i].groups) names.push_back(name);
    for (const std::string& name : names) p.ScheduleGroup(i, name);
  }
  return Ok();
}

}  // namespace honryu::alerting
