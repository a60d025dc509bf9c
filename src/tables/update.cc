#include "honryu/tables/expression.h"

#include <algorithm>
#include <utility>

namespace honryu::tables {

namespace {

Error Wrong(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

constexpr std::string_view kBadPath =
    "The document path provided in the update expression is invalid for update";
constexpr std::string_view kMissing =
    "The provided expression refers to an attribute that does not exist in the item";
constexpr std::string_view kBadType = "An operand in the update expression has an incorrect data type";

const Value* ValueOf(const Operand& operand, const Item& item) {
  return operand.kind == Operand::Kind::kConstant ? &operand.constant : Find(item, operand.path);
}

Result<Value> Evaluate(const Update::Term& term, const Item& before) {
  const Value* value = ValueOf(term.operand, before);
  if (value == nullptr && term.fallback) value = ValueOf(*term.fallback, before);
  if (value == nullptr) return Wrong(std::string(kMissing));
  return *value;
}

Result<Value> Evaluate(const Update::Set& set, const Item& before) {
  HONRYU_TRY(Value left, Evaluate(set.left, before));
  if (set.op == Update::Set::Op::kTake) return left;
  HONRYU_TRY(const Value right, Evaluate(set.right, before));
  if (set.op == Update::Set::Op::kListAppend) {
    auto* list = left.As<Value::List>();
    const auto* more = right.As<Value::List>();
    if (list == nullptr || more == nullptr) return Wrong(std::string(kBadType));
    list->insert(list->end(), more->begin(), more->end());
    return left;
  }
  const auto* a = left.As<Decimal>();
  const auto* b = right.As<Decimal>();
  if (a == nullptr || b == nullptr) return Wrong(std::string(kBadType));
  Result<Decimal> sum = set.op == Update::Set::Op::kPlus ? Decimal::Add(*a, *b) : Decimal::Subtract(*a, *b);
  if (!sum.ok()) return sum.error();
  return Value::Number(std::move(*sum));
}

// The container that holds the path's last step; null pointer when it is not there.
Value* Parent(Item& item, const Path& path) {
  const auto found = item.find(path.front().name);
  if (found == item.end()) return nullptr;
  Value* value = &found->second;
  for (std::size_t i = 1; i + 1 < path.size(); ++i) {
    const PathStep& step = path[i];
    if (step.is_index) {
      auto* list = value->As<Value::List>();
      if (list == nullptr || step.index >= list->size()) return nullptr;
      value = &(*list)[step.index];
    } else {
      auto* map = value->As<Value::Map>();
      const auto next = map == nullptr ? Value::Map::iterator() : map->find(step.name);
      if (map == nullptr || next == map->end()) return nullptr;
      value = &next->second;
    }
  }
  return value;
}

Result<void> Store(Item& item, const Path& path, Value value) {
  if (path.size() == 1) {
    item.insert_or_assign(path.front().name, std::move(value));
    return Ok();
  }
  Value* parent = Parent(item, path);
  if (parent == nullptr) return Wrong(std::string(kBadPath));
  const PathStep& last = path.back();
  if (last.is_index) {
    auto* list = parent->As<Value::List>();
    if (list == nullptr) return Wrong(std::string(kBadPath));
    if (last.index < list->size()) {
      (*list)[last.index] = std::move(value);
    } else {
      list->push_back(std::move(value));  // an index beyond the end appends
    }
    return Ok();
  }
  auto* map = parent->As<Value::Map>();
  if (map == nullptr) return Wrong(std::string(kBadPath));
  map->insert_or_assign(last.name, std::move(value));
  return Ok();
}

Result<void> Erase(Item& item, const Path& path) {
  if (path.size() == 1) {
    item.erase(path.front().name);
    return Ok();
  }
  Value* parent = Parent(item, path);
  if (parent == nullptr) return Wrong(std::string(kBadPath));
  const PathStep& last = path.back();
  if (last.is_index) {
    auto* list = parent->As<Value::List>();
    if (list == nullptr) return Wrong(std::string(kBadPath));
    if (last.index < list->size()) list->erase(list->begin() + static_cast<std::ptrdiff_t>(last.index));
    return Ok();
  }
  auto* map = parent->As<Value::Map>();
  if (map == nullptr) return Wrong(std::string(kBadPath));
  map->erase(last.name);
  return Ok();
}

template <class Set>
bool Unite(Value& value, const Value& more) {
  auto* set = value.As<Set>();
  const auto* others = more.As<Set>();
  if (set == nullptr || others == nullptr) return false;
  set->insert(others->begin(), others->end());
  return true;
}

template <class Set>
bool TakeOut(Value& value, const Value& less, bool* empty) {
  auto* set = value.As<Set>();
  const auto* others = less.As<Set>();
  if (set == nullptr || others == nullptr) return false;
  for (const auto& element : *others) set->erase(element);
  *empty = set->empty();
  return true;
}

Result<void> AddTo(Item& item, const Update::Change& change, const Item& before) {
  const Value* old = Find(before, change.path);
  if (old == nullptr) return Store(item, change.path, change.value);
  Value value = *old;
  if (auto* number = value.As<Decimal>(); number != nullptr && change.value.As<Decimal>() != nullptr) {
    HONRYU_TRY(*number, Decimal::Add(*number, *change.value.As<Decimal>()));
  } else if (auto* list = value.As<Value::List>();
             list != nullptr && change.value.As<Value::List>() != nullptr) {
    const auto* more = change.value.As<Value::List>();
    list->insert(list->end(), more->begin(), more->end());
  } else if (!Unite<Value::StringSet>(value, change.value) && !Unite<Value::NumberSet>(value, change.value) &&
             !Unite<Value::BinarySet>(value, change.value)) {
    return Wrong(std::string(kBadType));
  }
  return Store(item, change.path, std::move(value));
}

Result<void> DeleteFrom(Item& item, const Update::Change& change, const Item& before) {
  const Value* old = Find(before, change.path);
  if (old == nullptr) return Ok();
  Value value = *old;
  bool empty = false;
  if (!TakeOut<Value::StringSet>(value, change.value, &empty) &&
      !TakeOut<Value::NumberSet>(value, change.value, &empty) &&
      !TakeOut<Value::BinarySet>(value, change.value, &empty)) {
    return Wrong(std::string(kBadType));
  }
  // There are no empty sets.
  return empty ? Erase(item, change.path) : Store(item, change.path, std::move(value));
}

}  // namespace

std::vector<Path> Update::Touched() const {
  std::vector<Path> paths;
  for (const Set& one : set) paths.push_back(one.path);
  paths.insert(paths.end(), remove.begin(), remove.end());
  for (const Change& one : add) paths.push_back(one.path);
  for (const Change& one : remove_from) paths.push_back(one.path);
  return paths;
}

Result<void> Apply(const Update& update, Item& item) {
  const Item before = item;
  for (const Update::Set& set : update.set) {
    HONRYU_TRY(Value value, Evaluate(set, before));
    HONRYU_TRY_VOID(Store(item, set.path, std::move(value)));
  }
  for (const Update::Change& change : update.add) HONRYU_TRY_VOID(AddTo(item, change, before));
  for (const Update::Change& change : update.remove_from) HONRYU_TRY_VOID(DeleteFrom(item, change, before));
  // From the back, so that an index means the element that it named before.
  std::vector<Path> remove = update.remove;
  std::ranges::sort(remove, [](const Path& a, const Path& b) {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      if (a[i].is_index && b[i].is_index && a[i].index != b[i].index) return a[i].index > b[i].index;
      if (a[i] != b[i]) return PathText({a[i]}) < PathText({b[i]});
    }
    return a.size() > b.size();
  });
  for (const Path& path : remove) HONRYU_TRY_VOID(Erase(item, path));
  return Ok();
}

}  // namespace honryu::tables
