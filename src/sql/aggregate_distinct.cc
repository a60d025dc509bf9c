#include "sql/aggregate.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

namespace honryu::sql {
namespace {

struct Seen final : Heavy {
  std::unordered_set<std::string> keys;
  std::size_t key_bytes = 0;
  Slot inner;
  bool Insert(std::string_view key) {
    if (!keys.emplace(key).second) return false;
    key_bytes += key.size();
    return true;
  }
  std::size_t Bytes() const override {
    return sizeof(*this) + keys.size() * 72 + key_bytes + (inner.heavy ? inner.heavy->Bytes() : 0);
  }
};

// SUM(DISTINCT x) and the like: the values themselves are kept, so this is exact, and bounded: a group that
// has more different values gives an error for each row that brings one.
class DistinctValues final : public Aggregate {
 public:
  static constexpr std::size_t kMost = 1'000'000;
  explicit DistinctValues(std::unique_ptr<Aggregate> inner) : inner_(std::move(inner)) {}

  void Add(Slot& slot, Args args, std::int64_t time, EvalContext& context) const override {
    key_.clear();
    AppendKey(*args[0], key_);
    Take(Of(slot), key_, *args[0], time, context);
  }
  void Merge(Slot& into, const Slot& other, EvalContext& context) const override {
    if (other.heavy == nullptr) return;
    Seen& seen = Of(into);
    for (const std::string& key : Sorted(static_cast<const Seen&>(*other.heavy))) {
      std::string_view bytes = key;
      Value value;
      if (TakeKey(&bytes, value)) Take(seen, key, value, 0, context);
    }
  }
  void Result(const Slot& slot, Value& out) const override {
    const Slot nothing{};
    inner_->Result(slot.heavy == nullptr ? nothing : static_cast<const Seen&>(*slot.heavy).inner, out);
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    out.U8(slot.heavy != nullptr ? 1 : 0);
    if (slot.heavy == nullptr) return;
    const Seen& seen = static_cast<const Seen&>(*slot.heavy);
    out.U64(seen.keys.size());
    for (const std::string& key : Sorted(seen)) out.Text(key);
    inner_->Save(seen.inner, out);
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    if (in.U8() == 0) return;
    Seen& seen = Of(slot);
    for (std::uint64_t left = in.Count(8); left > 0; --left) seen.Insert(in.Text());
    inner_->Load(seen.inner, in);
  }

 private:
  static Seen& Of(Slot& slot) {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<Seen>();
    return static_cast<Seen&>(*slot.heavy);
  }
  // In an order that does not depend on the table.
  static std::vector<std::string> Sorted(const Seen& seen) {
    std::vector<std::string> keys(seen.keys.begin(), seen.keys.end());
    std::sort(keys.begin(), keys.end());
    return keys;
  }
  void Take(Seen& seen, const std::string& key, const Value& value, std::int64_t time,
            EvalContext& context) const {
    if (seen.keys.contains(key)) return;
    if (seen.keys.size() >= kMost)
      return context.Fail("StateLimit", "more different values than " + std::to_string(kMost));
    seen.Insert(key);
    const Value* const argument = &value;
    inner_->Add(seen.inner, {&argument, 1}, time, context);
  }

  std::unique_ptr<Aggregate> inner_;
  mutable std::string key_;
};

}  // namespace

std::unique_ptr<Aggregate> MakeDistinctAggregate(std::unique_ptr<Aggregate> inner) {
  return std::make_unique<DistinctValues>(std::move(inner));
}

}  // namespace honryu::sql
