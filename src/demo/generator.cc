#include "honryu/demo/generator.h"

#include "app_model.h"
#include "details.h"
#include "honryu/codec/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>
#include <unordered_map>

namespace honryu::demo {
namespace {

/// Exponent of Zipf's law for how active users are. 1.05 gives the busiest of 10,000 users about an eighth.
constexpr double kZipf = 1.05;
/// A user who was silent for longer begins a new session.
constexpr std::int64_t kSessionGapMs = 30 * 60 * 1000;
constexpr double kBurstErrorShare = 0.25;
constexpr double kBurstCrashFactor = 10;
constexpr double kDropFactor = 1.0 / 3.0;
constexpr double kPlatformDropShare = 0.8;  // of Android's events that do not come
constexpr double kReserveCancelRate = 2;    // events a second, of one user

/// Traffic by hour in Tokyo, in percent of the mean; their mean is 100.
constexpr int kHours[24] = {70,  42,  26, 20, 20,  28,  58,  104, 128, 98,  92,  100,
                            142, 118, 92, 94, 102, 122, 146, 160, 172, 180, 164, 122};

std::uint64_t Mix(std::uint64_t x) {  // splitmix64's finaliser
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Reads "30s", "2m", "1h" from the front of `text` and cuts it off.
Result<Duration> TakeDuration(std::string_view& text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const auto used = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || count < 0 || count > 1'000'000 || used >= text.size())
    return Error(ErrorCode::kInvalidArgument, "expected a whole number with s, m or h");
  const char unit = text[used];
  text.remove_prefix(used + 1);
  if (unit == 's') return Duration(std::chrono::seconds(count));
  if (unit == 'm') return Duration(std::chrono::minutes(count));
  if (unit == 'h') return Duration(std::chrono::hours(count));
  return Error(ErrorCode::kInvalidArgument, "expected a whole number with s, m or h");
}

struct IncidentName {
  IncidentKind kind;
  std::string_view name;
};
constexpr IncidentName kIncidentNames[] = {{IncidentKind::kErrorBurst, "error-burst"},
                                           {IncidentKind::kTrafficDrop, "traffic-drop"},
                                           {IncidentKind::kHotUser, "hot-user"},
                                           {IncidentKind::kPlatformDrop, "platform-drop"},
                                           {IncidentKind::kReserveCancel, "reserve-cancel"}};

struct Session {
  Page page = Page::kEnd;
  std::uint32_t number = 0;
  std::int64_t last_ms = 0;
  std::string id;
};

}  // namespace

Result<Incident> ParseIncident(std::string_view text, Timestamp start) {
  Incident incident;
  const std::size_t name_end = text.find_first_of("@+");
  const std::string_view name = text.substr(0, name_end);
  std::string_view rest = name_end == std::string_view::npos ? std::string_view{} : text.substr(name_end);
  const auto* const known = std::find_if(std::begin(kIncidentNames), std::end(kIncidentNames),
                                         [name](const IncidentName& one) { return one.name == name; });
  if (known == std::end(kIncidentNames)) {
    return Error(ErrorCode::kInvalidArgument,
                 "expected error-burst, traffic-drop, hot-user, platform-drop or reserve-cancel, found " +
                     std::string(name));
  }
  incident.kind = known->kind;
  Duration after = std::chrono::seconds(60);
  if (rest.starts_with('@')) {
    rest.remove_prefix(1);
    HONRYU_TRY(after, TakeDuration(rest));
  }
  if (rest.starts_with('+')) {
    rest.remove_prefix(1);
    HONRYU_TRY(incident.length, TakeDuration(rest));
  }
  if (!rest.empty())
    return Error(ErrorCode::kInvalidArgument, "expected KIND@AFTER+LENGTH, found " + std::string(text));
  incident.begin = start + std::chrono::duration_cast<std::chrono::milliseconds>(after);
  return incident;
}

Result<void> GeneratorOptions::Validate() const {
  if (users < 1 || users > 5'000'000)
    return Error(ErrorCode::kInvalidArgument, "users: expected 1 to 5000000, found " + std::to_string(users));
  if (!(events_per_second > 0) || events_per_second > 10'000'000)
    return Error(ErrorCode::kInvalidArgument, "events per second: expected more than 0, at most 10000000");
  return Ok();
}

double DailyFactor(Timestamp t) {
  constexpr std::int64_t kDayMs = 86'400'000;
  constexpr std::int64_t kTokyoMs = 9 * 3'600'000;  // no summer time there
  const std::int64_t of_day = (((ToMs(t) + kTokyoMs) % kDayMs) + kDayMs) % kDayMs;
  const double hour = static_cast<double>(of_day) / 3'600'000.0;
  // Each figure holds in the middle of its hour; straight lines between.
  const double at = hour - 0.5 < 0 ? hour + 23.5 : hour - 0.5;
  const auto left = static_cast<std::size_t>(at) % 24;
  const double share = at - std::floor(at);
  return (kHours[left] * (1 - share) + kHours[(left + 1) % 24] * share) / 100.0;
}

std::string DerivedUuid(std::uint64_t space, std::uint64_t number) {
  const std::uint64_t high = Mix(space + number * 0x9e3779b97f4a7c15ULL);
  const std::uint64_t low = Mix(high ^ (number + 0xd1b54a32d192ed03ULL));
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out += '-';
    auto digit = static_cast<unsigned>(((i < 16 ? high : low) >> (60 - 4 * (i % 16))) & 15);
    if (i == 12) digit = 8;                  // version 8: made by a rule of our own
    if (i == 16) digit = (digit & 3U) | 8U;  // the variant of RFC 9562
    out += kHex[digit];
  }
  return out;
}

struct DemoGenerator::Impl {
  explicit Impl(const GeneratorOptions& o) : options(o), random(o.seed) {
    cumulative.reserve(options.users);
    double sum = 0;
    for (std::uint32_t rank = 1; rank <= options.users; ++rank) {
      sum += std::pow(static_cast<double>(rank), -kZipf);
      cumulative.push_back(sum);
    }
    // Ids say nothing of rank: multiplying by a prime that does not divide `users` is a permutation.
    scatter = options.users % 7919 == 0 ? 7907 : 7919;
    id_space = Mix(options.seed ^ Mix(static_cast<std::uint64_t>(ToMs(options.start))));
    next_us = static_cast<double>(ToMs(options.start)) * 1000.0;
    Advance();
  }

  Timestamp Now() const { return TimestampFromMs(static_cast<std::int64_t>(next_us / 1000.0)); }
  bool During(IncidentKind kind, Timestamp t) const {
    return std::any_of(options.incidents.begin(), options.incidents.end(),
                       [&](const Incident& i) { return i.kind == kind && i.Covers(t); });
  }

  /// Moves on to the next event: a Poisson process whose rate is that of the moment.
  void Advance() {
    const Timestamp now = Now();
    double rate = options.events_per_second;
    if (options.daily_curve) rate *= DailyFactor(now);
    if (During(IncidentKind::kTrafficDrop, now)) rate *= kDropFactor;
    if (During(IncidentKind::kHotUser, now)) rate *= 2;
    usual_rate = rate;
    if (During(IncidentKind::kReserveCancel, now)) rate += kReserveCancelRate;
    next_us += -std::log(1.0 - random.Unit()) / rate * 1e6;
  }

  std::uint32_t PickUser(Timestamp now) {
    if (During(IncidentKind::kHotUser, now) && random.Chance(0.5)) return options.users / 2;
    const double at = random.Unit() * cumulative.back();
    const auto found = std::upper_bound(cumulative.begin(), cumulative.end(), at);
    const auto rank = static_cast<std::uint32_t>(found - cumulative.begin());
    return std::min(rank, options.users - 1);
  }

  /// The event of the moment; nothing where an incident keeps it away.
  std::optional<DemoEvent> Make() {
    const Timestamp now = Now();
    if (During(IncidentKind::kReserveCancel, now) &&
        random.Chance(kReserveCancelRate / (usual_rate + kReserveCancelRate)))
      return MakeReservation(now);
    const std::uint32_t user = PickUser(now);
    const Person person = PersonOf(options.seed, user);
    if (person.device_type == "android" && During(IncidentKind::kPlatformDrop, now) &&
        random.Chance(kPlatformDropShare))
      return std::nullopt;
    Session& session = sessions[user];
    const bool fresh = session.page == Page::kEnd || ToMs(now) - session.last_ms > kSessionGapMs;
    if (fresh) {
      ++session.number;
      session.id = DerivedUuid(id_space ^ user, session.number);
      session.page = Page::kStart;
    }
    session.last_ms = ToMs(now);

    Trouble trouble;
    if (During(IncidentKind::kErrorBurst, now)) {
      trouble.error = kBurstErrorShare;
      trouble.crash *= kBurstCrashFactor;
    }
    // The newest version has a fault on Android.
    if (person.app_version == "5.4.0" && person.device_type == "android") trouble.crash *= 3;
    const double luck = random.Unit();
    const bool crash = !fresh && luck < trouble.crash;
    const bool error = !fresh && !crash && luck < trouble.crash + trouble.error;
    if (!fresh && !crash && !error) session.page = NextPage(session.page, random);

    DemoEvent event;
    event.time = now;
    Write(event, user, person, session, crash, error);
    if (crash) session.page = Page::kEnd;
    return event;
  }

  /// One user takes a seat and gives it back, again and again.
  DemoEvent MakeReservation(Timestamp now) {
    const std::uint32_t user = options.users / 3;
    DemoEvent event;
    event.time = now;
    codec::JsonWriter json(event.json);
    json.BeginObject();
    reserved = !reserved;
    WriteHead(json, now, reserved ? "reserve" : "cancel", user, PersonOf(options.seed, user),
              DerivedUuid(id_space ^ user, 0));
    json.Key("properties");
    json.BeginObject();
    json.Key("seat");
    json.String("A-12");
    json.EndObject();
    json.EndObject();
    return event;
  }

  void WriteHead(codec::JsonWriter& json, Timestamp time, std::string_view type, std::uint32_t user,
                 const Person& person, std::string_view session_id) {
    const auto member = [&json](std::string_view key, std::string_view value) {
      json.Key(key);
      json.String(value);
    };
    const std::uint64_t number = (static_cast<std::uint64_t>(user) * scatter + 13) % options.users;
    member("event_id", DerivedUuid(id_space, ++count));
    member("event_type", type);
    member("timestamp", FormatTimestamp(time));
    member("user_id", "user-" + std::to_string(100'000 + number));
    member("session_id", session_id);
    json.Key("device");
    json.BeginObject();
    member("type", person.device_type);
    member("os_version", person.os_version);
    member("app_version", person.app_version);
    member("device_model", person.device_model);
    json.EndObject();
  }

  void Write(DemoEvent& event, std::uint32_t user, const Person& person, const Session& session, bool crash,
             bool error) {
    codec::JsonWriter json(event.json);
    json.BeginObject();
    WriteHead(json, event.time,
              crash   ? "crash"
              : error ? "error"
                      : EventTypeOf(session.page),
              user, person, session.id);
    const std::size_t place = PickPlace(person, random);
    if (person.device_type != "web") {  // browsers are rarely asked
      json.Key("location");
      json.BeginObject();
      WriteLocation(place, random, json);
      json.EndObject();
    }
    json.Key("properties");
    json.BeginObject();
    if (crash) {
      WriteCrashProperties(session.page, person, random, json);
    } else if (error) {
      WriteErrorProperties(session.page, random, json);
    } else {
      WriteProperties(session.page, person, place, random, json);
    }
    json.EndObject();
    if (options.detailed) WriteDetails(person, user, session.number, crash || error, random, json);
    json.EndObject();
  }

  const GeneratorOptions options;
  Random random;
  std::vector<double> cumulative;  ///< Sums of the users' weights, by rank.
  std::uint64_t scatter = 1;
  std::uint64_t id_space = 0;
  std::uint64_t count = 0;
  bool reserved = false;
  double usual_rate = 0;  ///< Of the moment, without reservations.
  double next_us = 0;     ///< When the next event happens, microseconds since 1970.
  std::unordered_map<std::uint32_t, Session> sessions;
};

DemoGenerator::DemoGenerator(const GeneratorOptions& options) : impl_(std::make_unique<Impl>(options)) {}
DemoGenerator::~DemoGenerator() = default;

void DemoGenerator::Generate(Timestamp until, std::size_t limit, std::vector<DemoEvent>& out) {
  const std::size_t most = out.size() + limit;
  while (out.size() < most && impl_->Now() < until) {
    if (std::optional<DemoEvent> event = impl_->Make(); event.has_value()) out.push_back(std::move(*event));
    impl_->Advance();
  }
}

Timestamp DemoGenerator::position() const { return impl_->Now(); }

}  // namespace honryu::demo
