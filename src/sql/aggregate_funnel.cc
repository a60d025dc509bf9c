#include "sql/aggregate.h"

#include <algorithm>
#include <map>

namespace honryu::sql {
namespace {

using Args = Aggregate::Args;
using Event = std::pair<std::int64_t, std::uint32_t>;  // time, steps that it is

struct Users final : Heavy {
  std::map<std::string, std::vector<Event>> events;
  std::size_t bytes = 0;  ///< Of users and their events.
  std::size_t Bytes() const override { return sizeof(*this) + bytes; }
};

// FUNNEL(user, time, within, step 1, step 2, …): how many users did steps 1 to i in this order, no later than
// `within` after step 1. One event is one step. Rows may come in any order: a user's events are kept.
class Funnel final : public Aggregate {
 public:
  static constexpr std::size_t kMostEvents = 1000;      // of one user in one window; later ones are left out
  static constexpr std::size_t kMostUsers = 1'000'000;  // of one window; a row of one more is an error
  Funnel(std::int64_t within_ms, std::size_t steps) : within_ms_(within_ms), steps_(steps) {}
  void Add(Slot& slot, Args args, std::int64_t, EvalContext& context) const override {
    std::uint32_t mask = 0;
    for (std::size_t i = 0; i < steps_; ++i) {
      const Value& done = *args[i + 3];
      if (!done.is_null() && done.as_bool()) mask |= 1u << i;
    }
    if (mask == 0 || args[1]->is_null()) return;
    std::string user;
    AppendKey(*args[0], user);
    Push(slot, user, {args[1]->as_int(), mask}, context);
  }
  void Merge(Slot& into, const Slot& other, EvalContext& context) const override {
    if (other.heavy == nullptr) return;
    const auto& kept_events = static_cast<const Users&>(*other.heavy).events;
    for (const auto& [user, list] : kept_events)
      for (const Event& event : list) Push(into, user, event, context);
  }
  void Result(const Slot& slot, Value& out) const override {
    std::vector<std::int64_t> reached(steps_, 0);
    if (slot.heavy != nullptr) {
      const auto& kept_events = static_cast<const Users&>(*slot.heavy).events;
      for (const auto& [user, list] : kept_events)
        for (std::size_t i = 0, depth = Depth(list); i < depth; ++i) ++reached[i];
    }
    std::string& text = out.MutableText();
    for (const std::int64_t count : reached) text += (text.empty() ? "[" : ",") + std::to_string(count);
    text += ']';
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    const auto* users = static_cast<const Users*>(slot.heavy.get());
    out.U64(users == nullptr ? 0 : users->events.size());
    if (users == nullptr) return;
    for (const auto& [user, list] : users->events) {
      out.Text(user);
      out.U64(list.size());
      for (const auto& [time, mask] : list) {
        out.I64(time);
        out.U64(mask);
      }
    }
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    EvalContext context;
    for (std::uint64_t left = in.Count(16); left > 0; --left) {
      const std::string user(in.Text());
      for (std::uint64_t events = in.Count(16); events > 0; --events) {
        const std::int64_t time = in.I64();
        Push(slot, user, {time, static_cast<std::uint32_t>(in.U64())}, context);
      }
    }
  }

 private:
  static void Push(Slot& slot, const std::string& user, Event event, EvalContext& context) {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<Users>();
    Users& users = static_cast<Users&>(*slot.heavy);
    auto known = users.events.find(user);
    if (known == users.events.end()) {
      if (users.events.size() >= kMostUsers)
        return context.Fail("StateLimit", "a funnel of more users than " + std::to_string(kMostUsers));
      known = users.events.try_emplace(user).first;
      users.bytes += 96 + user.size();
    }
    if (known->second.size() >= kMostEvents) return;
    known->second.push_back(event);
    users.bytes += 2 * sizeof(Event);
  }

  // started[i]: the latest start of a chain of steps 0 to i; the latest is the one that can go on longest.
  std::size_t Depth(std::vector<Event> events) const {
    std::sort(events.begin(), events.end());  // equal times in a fixed order
    std::vector<std::optional<std::int64_t>> started(steps_);
    std::size_t depth = 0;
    for (const auto& [time, mask] : events) {
      for (std::size_t i = steps_; i-- > 0;) {
        if ((mask >> i & 1) == 0) continue;
        if (i == 0) {
          started[0] = time;
        } else if (started[i - 1].has_value() && time - *started[i - 1] <= within_ms_) {
          started[i] = std::max(started[i].value_or(*started[i - 1]), *started[i - 1]);
        } else {
          continue;
        }
        depth = std::max(depth, i + 1);
      }
    }
    return depth;
  }

  std::int64_t within_ms_;
  std::size_t steps_;
};

}  // namespace

std::unique_ptr<Aggregate> MakeFunnelAggregate(AggregateRequest& request) {
  if (request.name != "FUNNEL") return nullptr;
  const std::optional<double> within = request.ConstantNumber(2);
  if (!within.has_value() || *within <= 0) {
    request.error = "FUNNEL needs a constant interval above 0";
    return nullptr;
  }
  request.type = JsonType();
  return std::make_unique<Funnel>(static_cast<std::int64_t>(*within), request.args.size() - 3);
}

}  // namespace honryu::sql
