#include "tables/table_state.h"

#include <utility>

namespace honryu::tables {

namespace {

Error Wrong(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

bool IsEmpty(const Value& value) {
  if (const auto* text = value.As<std::string>()) return text->empty();
  if (const auto* binary = value.As<Binary>()) return binary->bytes.empty();
  return false;
}

Value Text(std::string text) { return Value::String(std::move(text)); }
Value Int(std::int64_t number) { return Value::Number(Decimal(number)); }
Value Flag(bool flag) { return Value(Value::State(flag)); }

std::string TextAt(const Item& item, std::string_view name) {
  const auto found = item.find(name);
  const auto* text = found == item.end() ? nullptr : found->second.As<std::string>();
  return text == nullptr ? std::string() : *text;
}
std::int64_t IntAt(const Item& item, std::string_view name) {
  const auto found = item.find(name);
  const auto* number = found == item.end() ? nullptr : found->second.As<Decimal>();
  return number == nullptr ? 0 : number->ToInt();
}
bool FlagAt(const Item& item, std::string_view name) {
  const auto found = item.find(name);
  const auto* flag = found == item.end() ? nullptr : found->second.As<bool>();
  return flag != nullptr && *flag;
}
template <class T>
const T* At(const Item& item, std::string_view name) {
  const auto found = item.find(name);
  return found == item.end() ? nullptr : found->second.As<T>();
}

void PutKey(const KeySchema& key, Item& out) {
  out["hash"] = Text(key.hash.name);
  out["hash_type"] = Text(std::string(TypeName(key.hash.type)));
  if (!key.range) return;
  out["range"] = Text(key.range->name);
  out["range_type"] = Text(std::string(TypeName(key.range->type)));
}

bool TakeKey(const Item& item, KeySchema& key) {
  const auto take = [&item](const std::string& what, KeyAttribute& out) {
    out.name = TextAt(item, what);
    return FindType(TextAt(item, what + "_type"), &out.type) && out.type <= Value::Type::kBinary;
  };
  if (!take("hash", key.hash)) return false;
  if (!item.contains("range")) return true;
  return take("range", key.range.emplace());
}

Item ItemOf(const IndexDescription& index) {
  Item out;
  out["name"] = Text(index.name);
  PutKey(index.key, out);
  out["local"] = Flag(index.local);
  out["all"] = Flag(index.all);
  Value::List included;
  for (const std::string& name : index.included) included.push_back(Text(name));
  out["included"] = Value(Value::State(std::move(included)));
  out["read_units"] = Int(index.read_units);
  out["write_units"] = Int(index.write_units);
  return out;
}

bool TakeIndex(const Value& value, IndexDescription& index) {
  const auto* item = value.As<Value::Map>();
  if (item == nullptr || !TakeKey(*item, index.key)) return false;
  index.name = TextAt(*item, "name");
  index.local = FlagAt(*item, "local");
  index.all = FlagAt(*item, "all");
  if (const auto* included = At<Value::List>(*item, "included")) {
    for (const Value& name : *included)
      if (const auto* text = name.As<std::string>()) index.included.push_back(*text);
  }
  index.read_units = IntAt(*item, "read_units");
  index.write_units = IntAt(*item, "write_units");
  return true;
}

// The item of a row; its own format was checked when it was read or made.
Item Decoded(const Row& row) {
  Result<Item> item = DecodeItem(*row.encoded);
  return item.ok() ? std::move(*item) : Item();
}

}  // namespace

std::size_t Footprint(std::string_view key, const Row& row) {
  return key.size() + row.encoded->size() + kRowOverhead;
}

Table::Table(TableDescription about) : about_(std::move(about)) {
  for (const IndexDescription& index : about_.indexes) indexes_[index.name];
}

const IndexRows* Table::FindIndex(std::string_view name) const {
  const auto found = indexes_.find(name);
  return found == indexes_.end() ? nullptr : &found->second;
}

void Table::Enter(const IndexDescription& index, const std::string& key, const Item& item) {
  std::optional<std::string> entry = IndexKeyOf(index, item, key);
  if (!entry) return;
  const std::size_t size = entry->size() + key.size() + kRowOverhead;
  if (indexes_[index.name].emplace(std::move(*entry), key).second) footprint_ += size;
}

void Table::Leave(const IndexDescription& index, const std::string& key, const Item& item) {
  const std::optional<std::string> entry = IndexKeyOf(index, item, key);
  if (entry && indexes_[index.name].erase(*entry) > 0)
    footprint_ -= entry->size() + key.size() + kRowOverhead;
}

void Table::Replace(const std::string& key, std::optional<Row> row) {
  const auto found = rows_.find(key);
  if (found != rows_.end()) {
    bytes_ -= found->second.bytes;
    footprint_ -= Footprint(key, found->second);
    if (!about_.indexes.empty()) {
      const Item old = Decoded(found->second);
      for (const IndexDescription& index : about_.indexes) Leave(index, key, old);
    }
  }
  if (!row) {
    if (found != rows_.end()) rows_.erase(found);
    return;
  }
  bytes_ += row->bytes;
  footprint_ += Footprint(key, *row);
  if (!about_.indexes.empty()) {
    const Item item = Decoded(*row);
    for (const IndexDescription& index : about_.indexes) Enter(index, key, item);
  }
  rows_.insert_or_assign(key, std::move(*row));
}

void Table::Redefine(TableDescription about) {
  about_ = std::move(about);
  std::map<std::string, IndexRows, std::less<>> old = std::move(indexes_);
  indexes_.clear();
  for (const IndexDescription& index : about_.indexes) {
    const auto found = old.find(index.name);
    if (found != old.end()) {
      indexes_[index.name] = std::move(found->second);
      old.erase(found);
      continue;
    }
    indexes_[index.name];
    for (const auto& [key, row] : rows_) Enter(index, key, Decoded(row));
  }
  for (const auto& [name, rows] : old)
    for (const auto& [entry, key] : rows) footprint_ -= entry.size() + key.size() + kRowOverhead;
}

TableDescription Table::Describe() const {
  TableDescription about = about_;
  about.items = rows_.size();
  about.bytes = bytes_;
  for (IndexDescription& index : about.indexes) {
    const IndexRows& rows = indexes_.find(index.name)->second;
    index.items = rows.size();
    for (const auto& [entry, key] : rows) index.bytes += rows_.find(key)->second.bytes;
  }
  return about;
}

std::string EncodeDescription(const TableDescription& about) {
  Item out;
  out["name"] = Text(about.name);
  out["id"] = Int(static_cast<std::int64_t>(about.id));
  PutKey(about.key, out);
  out["created"] = Int(ToMs(about.created));
  out["on_demand"] = Flag(about.on_demand);
  out["read_units"] = Int(about.read_units);
  out["write_units"] = Int(about.write_units);
  out["deletion_protection"] = Flag(about.deletion_protection);
  out["point_in_time_recovery"] = Flag(about.point_in_time_recovery);
  out["ttl_attribute"] = Text(about.ttl_attribute);
  Value::Map tags;
  for (const auto& [key, value] : about.tags) tags[key] = Text(value);
  out["tags"] = Value(Value::State(std::move(tags)));
  Value::List indexes;
  for (const IndexDescription& index : about.indexes) indexes.push_back(Value(Value::State(ItemOf(index))));
  out["indexes"] = Value(Value::State(std::move(indexes)));
  return EncodeItem(out);
}

Result<TableDescription> DecodeDescription(std::string_view bytes) {
  const Error corrupt(ErrorCode::kCorrupt, "a stored table is not in its format");
  HONRYU_TRY(const Item item, DecodeItem(bytes));
  TableDescription about;
  about.name = TextAt(item, "name");
  about.id = static_cast<std::uint64_t>(IntAt(item, "id"));
  if (about.name.empty() || !TakeKey(item, about.key)) return corrupt;
  about.created = TimestampFromMs(IntAt(item, "created"));
  about.on_demand = FlagAt(item, "on_demand");
  about.read_units = IntAt(item, "read_units");
  about.write_units = IntAt(item, "write_units");
  about.deletion_protection = FlagAt(item, "deletion_protection");
  about.point_in_time_recovery = FlagAt(item, "point_in_time_recovery");
  about.ttl_attribute = TextAt(item, "ttl_attribute");
  if (const auto* tags = At<Value::Map>(item, "tags")) {
    for (const auto& [key, value] : *tags)
      if (const auto* text = value.As<std::string>()) about.tags[key] = *text;
  }
  if (const auto* indexes = At<Value::List>(item, "indexes")) {
    for (const Value& value : *indexes)
      if (!TakeIndex(value, about.indexes.emplace_back())) return corrupt;
  }
  return about;
}

Result<std::string> KeyOf(const TableDescription& about, const Item& item, bool exactly) {
  const std::size_t attributes = about.key.range ? 2 : 1;
  if (exactly && item.size() != attributes)
    return Wrong("The provided key element does not match the schema");
  std::string key;
  for (const KeyAttribute* attribute : {&about.key.hash, about.key.range ? &*about.key.range : nullptr}) {
    if (attribute == nullptr) continue;
    const auto found = item.find(attribute->name);
    if (found == item.end() || found->second.type() != attribute->type) {
      if (exactly) return Wrong("The provided key element does not match the schema");
      if (found == item.end())
        return Wrong(std::string(kInvalid) + "Missing the key " + attribute->name + " in the item");
      return Wrong(std::string(kInvalid) + "Type mismatch for key " + attribute->name +
                   " expected: " + std::string(TypeName(attribute->type)) +
                   " actual: " + std::string(TypeName(found->second.type())));
    }
    if (IsEmpty(found->second)) {
      return Wrong(
          "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
          "an empty string value. Key: " +
          attribute->name);
    }
    AppendKey(found->second, key);
    // DynamoDB's bounds; the encoded form can only be longer.
    const std::size_t most = attribute == &about.key.hash ? 2048 : 1024;
    if (SizeOf(found->second) > most) {
      return Wrong(std::string(kInvalid) + "Size of " + (most == 2048 ? "hashkey" : "rangekey") +
                   " has exceeded the maximum size limit of" + std::to_string(most) + " bytes");
    }
  }
  return key;
}

std::optional<std::string> IndexKeyOf(const IndexDescription& index, const Item& item,
                                      std::string_view primary) {
  std::string key;
  for (const KeyAttribute* attribute : {&index.key.hash, index.key.range ? &*index.key.range : nullptr}) {
    if (attribute == nullptr) continue;
    const auto found = item.find(attribute->name);
    if (found == item.end() || found->second.type() != attribute->type) return std::nullopt;
    AppendKey(found->second, key);
  }
  return key.append(primary);
}

Result<void> CheckIndexKeys(const TableDescription& about, const Item& item) {
  for (const IndexDescription& index : about.indexes) {
    for (const KeyAttribute* attribute : {&index.key.hash, index.key.range ? &*index.key.range : nullptr}) {
      if (attribute == nullptr) continue;
      const auto found = item.find(attribute->name);
      if (found == item.end()) continue;
      if (found->second.type() != attribute->type) {
        return Wrong(std::string(kInvalid) + "Type mismatch for Index Key " + attribute->name +
                     " Expected: " + std::string(TypeName(attribute->type)) +
                     " Actual: " + std::string(TypeName(found->second.type())) + " IndexName: " + index.name);
      }
      if (IsEmpty(found->second)) {
        return Wrong(
            "One or more parameter values are not valid. A value specified for a secondary index key is not "
            "supported. The AttributeValue for a key attribute cannot contain an empty string value. "
            "IndexName: " +
            index.name + ", IndexKey: " + attribute->name);
      }
    }
  }
  return Ok();
}

std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

Item KeyItem(const TableDescription& about, const IndexDescription* index, const Item& item) {
  Item key;
  const auto take = [&](const KeySchema& schema) {
    for (const KeyAttribute* attribute : {&schema.hash, schema.range ? &*schema.range : nullptr}) {
      if (attribute == nullptr) continue;
      const auto found = item.find(attribute->name);
      if (found != item.end()) key.insert_or_assign(attribute->name, found->second);
    }
  };
  take(about.key);
  if (index != nullptr) take(index->key);
  return key;
}

}  // namespace honryu::tables
