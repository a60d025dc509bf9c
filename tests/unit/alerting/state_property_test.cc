// SeriesState against a machine that knows no timers: it looks at every second anew and decides from the
// whole past.

#include "honryu/alerting/state.h"
#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

namespace honryu::alerting {
namespace {

using std::chrono::seconds;

Timestamp At(int second) { return TimestampFromMs(second * 1000LL); }

struct Shape {
  int for_s = 0, clear_s = 0, hold_s = 0, stale_s = 0;
  OnStale on_stale = OnStale::kNoData;
};

/// The states by second, by brute force: samples[t] says whether the condition held at t.
class Reference {
 public:
  explicit Reference(const Shape& shape) : shape_(shape) {}

  // What becomes of second t; returns the steps as "from>to".
  std::vector<std::string> Second(int t, const std::map<int, bool>& samples) {
    std::vector<std::string> steps;
    const auto go = [&](const char* to) {
      steps.push_back(std::string(name_) + ">" + to);
      name_ = to;
      entered_ = t;
      clear_from_ = -1;
    };
    const auto breach = [&] {
      clear_from_ = -1;
      const std::string was = name_;
      if (was == "firing" || was == "pending") return;
      const bool at_once = shape_.for_s == 0 || interrupted_;
      interrupted_ = false;
      go(at_once ? "firing" : "pending");
    };
    const auto clear = [&](bool at_once) {
      const std::string was = name_;
      if (was == "pending") return go("ok");
      if (was == "no_data") {
        const bool fired = interrupted_;
        interrupted_ = false;
        return go(fired ? "resolved" : "ok");
      }
      if (was != "firing") return;
      if (at_once || shape_.clear_s == 0) return go("resolved");
      if (clear_from_ < 0) clear_from_ = t;
    };

    const auto sample = samples.find(t);
    if (sample != samples.end()) sample->second ? breach() : clear(false);
    // Whatever has lasted long enough by now.
    for (;;) {
      const std::string was = name_;
      if (was == "pending" && t - entered_ >= shape_.for_s) {
        go("firing");
      } else if (was == "firing" && clear_from_ >= 0 && t - clear_from_ >= shape_.clear_s) {
        go("resolved");
      } else if (was == "resolved" && t - entered_ >= shape_.hold_s) {
        go("ok");
      } else {
        break;
      }
    }
    // Silence: exactly stale_s seconds since the last sample.
    auto last = samples.upper_bound(t);
    if (shape_.stale_s > 0 && last != samples.begin() && t - (--last)->first == shape_.stale_s) {
      if (shape_.on_stale == OnStale::kNoData && std::string(name_) != "no_data") {
        const bool firing = std::string(name_) == "firing";
        go("no_data");
        interrupted_ = firing;
      } else if (shape_.on_stale == OnStale::kResolve) {
        clear(true);
      } else if (shape_.on_stale == OnStale::kBreach) {
        breach();
      }
      for (; std::string(name_) == "resolved" && shape_.hold_s == 0;) go("ok");
    }
    return steps;
  }

 private:
  Shape shape_;
  const char* name_ = "ok";
  int entered_ = 0;
  int clear_from_ = -1;
  bool interrupted_ = false;
};

TEST(SeriesStateProperty, AgreesWithAMachineThatLooksAtEverySecondAnew) {
  const char* given = std::getenv("HONRYU_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20261121;
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  Random random(seed);
  constexpr int kLength = 400;
  std::size_t steps_seen = 0;
  for (int round = 0; round < 3000; ++round) {
    Shape shape;
    shape.for_s = random.Chance(0.3) ? 0 : static_cast<int>(random.Below(12));
    shape.clear_s = random.Chance(0.3) ? 0 : static_cast<int>(random.Below(12));
    shape.hold_s = 1 + static_cast<int>(random.Below(30));
    shape.stale_s = random.Chance(0.3) ? 0 : 3 + static_cast<int>(random.Below(30));
    shape.on_stale = static_cast<OnStale>(random.Below(4));
    StateOptions options;
    options.for_duration = seconds(shape.for_s);
    options.clear_duration = seconds(shape.clear_s);
    options.resolved_hold = seconds(shape.hold_s);
    options.stale_after = seconds(shape.stale_s);
    options.on_stale = shape.on_stale;

    std::map<int, bool> samples;
    const double density = random.Unit();
    bool breach = false;
    for (int t = 1; t < kLength; ++t) {
      if (random.Chance(0.15)) breach = !breach;
      if (random.Chance(density)) samples[t] = breach;
    }
    std::map<int, std::vector<std::string>> expected;
    Reference reference(shape);
    for (int t = 0; t < kLength; ++t) expected[t] = reference.Second(t, samples);

    // The machine under test gets samples, and time only now and then; half-way it goes through a snapshot.
    SeriesState state;
    std::vector<Transition> out;
    for (int t = 0; t < kLength; ++t) {
      const auto sample = samples.find(t);
      if (sample != samples.end()) state.Observe(options, At(t), sample->second, out);
      if (t == kLength - 1 || random.Chance(0.2)) state.Advance(options, At(t), out);
      if (t == kLength / 2) state = SeriesState::FromRaw(state.raw());
    }
    std::map<int, std::vector<std::string>> found;
    for (int t = 0; t < kLength; ++t) found[t];
    for (const Transition& step : out) {
      found[static_cast<int>(ToMs(step.at) / 1000)].push_back(std::string(AlertStateName(step.from)) + ">" +
                                                              std::string(AlertStateName(step.to)));
      ++steps_seen;
    }
    ASSERT_EQ(found, expected) << "round " << round << ": for " << shape.for_s << " clear " << shape.clear_s
                               << " hold " << shape.hold_s << " stale " << shape.stale_s << " on_stale "
                               << static_cast<int>(shape.on_stale);
  }
  EXPECT_GT(steps_seen, 30000u);
}

}  // namespace
}  // namespace honryu::alerting
