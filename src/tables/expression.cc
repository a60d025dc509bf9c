#include "honryu/tables/expression.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

namespace honryu::tables {

namespace {

using Op = Condition::Op;

// The value of an operand beside an item: a pointer into one of them, or a made one.
struct Evaluated {
  const Value* value = nullptr;
  Value made;

  const Value* get() const { return value; }
};

void Evaluate(const Operand& operand, const Item& item, Evaluated& out) {
  if (operand.kind == Operand::Kind::kConstant) {
    out.value = &operand.constant;
    return;
  }
  const Value* found = Find(item, operand.path);
  if (operand.kind == Operand::Kind::kPath || found == nullptr) {
    out.value = found;
    return;
  }
  std::size_t size = 0;
  if (const auto* list = found->As<Value::List>()) {
    size = list->size();
  } else if (const auto* map = found->As<Value::Map>()) {
    size = map->size();
  } else if (const auto* strings = found->As<Value::StringSet>()) {
    size = strings->size();
  } else if (const auto* numbers = found->As<Value::NumberSet>()) {
    size = numbers->size();
  } else if (const auto* binaries = found->As<Value::BinarySet>()) {
    size = binaries->size();
  } else if (found->As<std::string>() != nullptr || found->As<Binary>() != nullptr) {
    size = SizeOf(*found);
  } else {
    return;  // a number, flag or null has no size
  }
  out.made = Value::Number(Decimal(static_cast<std::int64_t>(size)));
  out.value = &out.made;
}

bool Ordered(Op op, const Value& a, const Value& b) {
  const std::partial_ordering order = Compare(a, b);
  switch (op) {
    case Op::kLess:
      return order < 0;
    case Op::kLessEqual:
      return order <= 0;
    case Op::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

bool BeginsWith(const Value& value, const Value& prefix) {
  if (value.type() != prefix.type()) return false;
  if (const auto* text = value.As<std::string>()) return text->starts_with(*prefix.As<std::string>());
  if (const auto* binary = value.As<Binary>()) return binary->bytes.starts_with(prefix.As<Binary>()->bytes);
  return false;
}

bool Contains(const Value& value, const Value& part) {
  if (const auto* list = value.As<Value::List>()) return std::ranges::find(*list, part) != list->end();
  if (const auto* text = part.As<std::string>()) {
    if (const auto* whole = value.As<std::string>()) return whole->find(*text) != std::string::npos;
    if (const auto* set = value.As<Value::StringSet>()) return set->contains(*text);
  }
  if (const auto* number = part.As<Decimal>()) {
    if (const auto* set = value.As<Value::NumberSet>()) return set->contains(*number);
  }
  if (const auto* binary = part.As<Binary>()) {
    if (const auto* whole = value.As<Binary>()) return whole->bytes.find(binary->bytes) != std::string::npos;
    if (const auto* set = value.As<Value::BinarySet>()) return set->contains(*binary);
  }
  return false;
}

const Value* Child(const Value& value, const PathStep& step) {
  if (step.is_index) {
    const auto* list = value.As<Value::List>();
    return list == nullptr || step.index >= list->size() ? nullptr : &(*list)[step.index];
  }
  const auto* map = value.As<Value::Map>();
  if (map == nullptr) return nullptr;
  const auto found = map->find(step.name);
  return found == map->end() ? nullptr : &found->second;
}

}  // namespace

Path PathOf(std::string name) { return {PathStep{std::move(name), 0, false}}; }

std::string PathText(const Path& path) {
  std::string out;
  for (const PathStep& step : path) {
    if (step.is_index) {
      out.append("[").append(std::to_string(step.index)).append("]");
    } else {
      out.append(out.empty() ? "" : ".").append(step.name);
    }
  }
  return out;
}

const Value* Find(const Item& item, const Path& path) {
  const auto found = item.find(path.front().name);
  if (found == item.end()) return nullptr;
  const Value* value = &found->second;
  for (std::size_t i = 1; i < path.size() && value != nullptr; ++i) value = Child(*value, path[i]);
  return value;
}

bool Matches(const Condition& condition, const Item& item) {
  const auto holds = [&item](const Condition& part) { return Matches(part, item); };
  switch (condition.op) {
    case Op::kAnd:
      return std::ranges::all_of(condition.parts, holds);
    case Op::kOr:
      return std::ranges::any_of(condition.parts, holds);
    case Op::kNot:
      return !holds(condition.parts.front());
    default:
      break;
  }
  std::vector<Evaluated> operands(condition.operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) Evaluate(condition.operands[i], item, operands[i]);
  const Value* first = operands[0].get();
  const Value* second = operands.size() > 1 ? operands[1].get() : nullptr;
  switch (condition.op) {
    case Op::kExists:
      return first != nullptr;
    case Op::kNotExists:
      return first == nullptr;
    case Op::kEqual:
      return first != nullptr && second != nullptr && *first == *second;
    case Op::kNotEqual:
      return first == nullptr || second == nullptr ? first != second : !(*first == *second);
    case Op::kBetween: {
      const Value* third = operands[2].get();
      return first != nullptr && second != nullptr && third != nullptr &&
             Ordered(Op::kGreaterEqual, *first, *second) && Ordered(Op::kLessEqual, *first, *third);
    }
    case Op::kIn:
      return first != nullptr &&
             std::any_of(operands.begin() + 1, operands.end(), [first](const Evaluated& one) {
               return one.get() != nullptr && *one.get() == *first;
             });
    case Op::kHasType:
      return first != nullptr && second != nullptr && second->As<std::string>() != nullptr &&
             TypeName(first->type()) == *second->As<std::string>();
    case Op::kBeginsWith:
      return first != nullptr && second != nullptr && BeginsWith(*first, *second);
    case Op::kContains:
      return first != nullptr && second != nullptr && Contains(*first, *second);
    default:
      return first != nullptr && second != nullptr && Ordered(condition.op, *first, *second);
  }
}

Result<void> Substitutions::CheckAllUsed() const {
  std::string unused;
  for (const auto& [name, value] : names)
    if (!used.contains(name)) unused += (unused.empty() ? "" : ", ") + name;
  if (!unused.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "Value provided in ExpressionAttributeNames unused in expressions: keys: {" + unused + "}");
  for (const auto& [name, value] : values)
    if (!used.contains(name)) unused += (unused.empty() ? "" : ", ") + name;
  if (!unused.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "Value provided in ExpressionAttributeValues unused in expressions: keys: {" + unused + "}");
  return Ok();
}

Result<KeyCondition> KeyConditionOf(const Condition& condition, std::string_view hash_name,
                                    std::string_view range_name) {
  const Error unsupported(ErrorCode::kInvalidArgument, "Query key condition not supported");
  std::vector<const Condition*> parts;
  if (condition.op == Op::kAnd) {
    for (const Condition& part : condition.parts) parts.push_back(&part);
  } else {
    parts.push_back(&condition);
  }
  KeyCondition out;
  bool hashed = false;
  for (const Condition* part : parts) {
    if (!part->parts.empty() || part->operands.empty()) return unsupported;
    const Operand& subject = part->operands.front();
    if (subject.kind != Operand::Kind::kPath || subject.path.size() != 1) return unsupported;
    for (std::size_t i = 1; i < part->operands.size(); ++i)
      if (part->operands[i].kind != Operand::Kind::kConstant) return unsupported;
    const std::string& name = subject.path.front().name;
    if (name == hash_name) {
      if (hashed || part->op != Op::kEqual) return unsupported;
      hashed = true;
      out.hash = part->operands[1].constant;
    } else if (!range_name.empty() && name == range_name) {
      const bool usable = part->op == Op::kEqual || part->op == Op::kLess || part->op == Op::kLessEqual ||
                          part->op == Op::kGreater || part->op == Op::kGreaterEqual ||
                          part->op == Op::kBetween || part->op == Op::kBeginsWith;
      if (out.range || !usable) return unsupported;
      out.range = *part;
    } else {
      return Error(ErrorCode::kInvalidArgument, "Query condition missed key schema element: " +
                                                    std::string(hashed ? range_name : hash_name));
    }
  }
  if (!hashed)
    return Error(ErrorCode::kInvalidArgument,
                 "Query condition missed key schema element: " + std::string(hash_name));
  return out;
}

namespace {

// A tree of the projected paths; a leaf takes all there is.
struct Wanted {
  bool all = false;
  std::map<std::string, Wanted, std::less<>> names;
  std::map<std::size_t, Wanted> indexes;
};

std::optional<Value> Pick(const Value& value, const Wanted& wanted);

Value::Map PickMap(const Value::Map& map, const Wanted& wanted) {
  Value::Map out;
  for (const auto& [name, below] : wanted.names) {
    const auto found = map.find(name);
    if (found == map.end()) continue;
    if (std::optional<Value> picked = Pick(found->second, below)) out.emplace(name, std::move(*picked));
  }
  return out;
}

std::optional<Value> Pick(const Value& value, const Wanted& wanted) {
  if (wanted.all) return value;
  if (const auto* map = value.As<Value::Map>(); map != nullptr && !wanted.names.empty()) {
    Value::Map picked = PickMap(*map, wanted);
    if (picked.empty()) return std::nullopt;
    return Value(Value::State(std::move(picked)));
  }
  if (const auto* list = value.As<Value::List>()) {
    Value::List picked;
    for (const auto& [index, below] : wanted.indexes) {
      if (index >= list->size()) continue;
      if (std::optional<Value> one = Pick((*list)[index], below)) picked.push_back(std::move(*one));
    }
    if (!picked.empty()) return Value(Value::State(std::move(picked)));
  }
  return std::nullopt;
}

}  // namespace

Item Project(const Item& item, const std::vector<Path>& paths) {
  Wanted root;
  for (const Path& path : paths) {
    Wanted* at = &root;
    for (const PathStep& step : path) at = step.is_index ? &at->indexes[step.index] : &at->names[step.name];
    at->all = true;
  }
  return PickMap(item, root);
}

}  // namespace honryu::tables
