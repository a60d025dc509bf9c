#include "honryu/base/crc32c.h"
#include "tables/table_store_impl.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace honryu::tables {

namespace {

using Op = Condition::Op;

/// Keys from `lower` up to but without `upper`; an empty upper bound is open.
struct KeyRange {
  std::string lower, upper;
};

Result<KeyRange> RangeOf(const KeySchema& schema, const KeyCondition& keys) {
  const Error mismatch(
      ErrorCode::kInvalidArgument,
      "One or more parameter values were invalid: Condition parameter type does not match schema type");
  if (keys.hash.type() != schema.hash.type) return mismatch;
  std::string prefix;
  AppendKey(keys.hash, prefix);
  KeyRange range{prefix, AfterPrefix(prefix)};
  if (!keys.range) return range;
  const Condition& condition = *keys.range;
  std::vector<std::string> bounds;
  for (std::size_t i = 1; i < condition.operands.size(); ++i) {
    const Value& value = condition.operands[i].constant;
    if (!schema.range || value.type() != schema.range->type) return mismatch;
    AppendKey(value, bounds.emplace_back(prefix));
  }
  switch (condition.op) {
    case Op::kEqual:
      return KeyRange{bounds[0], AfterPrefix(bounds[0])};
    case Op::kLess:
      return KeyRange{range.lower, bounds[0]};
    case Op::kLessEqual:
      return KeyRange{range.lower, AfterPrefix(bounds[0])};
    case Op::kGreater:
      return KeyRange{AfterPrefix(bounds[0]), range.upper};
    case Op::kGreaterEqual:
      return KeyRange{bounds[0], range.upper};
    case Op::kBetween:
      return KeyRange{bounds[0], AfterPrefix(bounds[1])};
    default: {
      if (schema.range->type == Value::Type::kNumber) return mismatch;
      bounds[0].resize(bounds[0].size() - 2);  // begins_with: without the end of the text
      return KeyRange{bounds[0], AfterPrefix(bounds[0])};
    }
  }
}

/// The rows of a page, taken under the lock, to be opened outside of it.
struct Taken {
  std::vector<Row> rows;
  std::size_t bytes = 0;
  bool more = false;
};

/// Walks a map of keys (rows or an index) through the range, from behind `after`.
template <class Map, class Visit>
void Walk(const Map& map, const KeyRange& range, const std::optional<std::string>& after, bool backwards,
          const Visit& visit) {
  auto begin = map.lower_bound(range.lower);
  auto end = range.upper.empty() ? map.end() : map.lower_bound(range.upper);
  if (!range.upper.empty() && range.upper <= range.lower) end = begin;
  if (after && !backwards && *after >= range.lower) {
    begin = map.upper_bound(*after);
    if (!range.upper.empty() && *after >= range.upper) begin = end;
  }
  if (after && backwards && (range.upper.empty() || *after < range.upper)) {
    end = *after < range.lower ? begin : map.lower_bound(*after);
  }
  if (backwards) {
    while (end != begin) {
      --end;
      if (!visit(*end)) return;
    }
    return;
  }
  for (; begin != end; ++begin)
    if (!visit(*begin)) return;
}

/// The bytes of the hash attribute at the front of a key, as AppendKey writes them.
std::string_view HashPart(std::string_view key, Value::Type type) {
  std::size_t end = 0;
  if (type != Value::Type::kNumber) {
    end = key.find('\0');
    while (end != std::string_view::npos && end + 1 < key.size() && key[end + 1] != '\0')
      end = key.find('\0', end + 2);
    return key.substr(0, end);
  }
  if (key.starts_with('\x01')) return key.substr(0, 1);
  return key.substr(0, key.find(key.starts_with('\x02') ? '\0' : '\xff', 3));
}

std::vector<Path> PathsOf(const TableDescription& about, const IndexDescription& index) {
  std::vector<Path> paths;
  for (const KeySchema* schema : {&about.key, &index.key}) {
    paths.push_back(PathOf(schema->hash.name));
    if (schema->range) paths.push_back(PathOf(schema->range->name));
  }
  for (const std::string& name : index.included) paths.push_back(PathOf(name));
  return paths;
}

}  // namespace

std::vector<std::string> TableStore::Names() const {
  const std::shared_lock lock(impl_->state_mutex);
  std::vector<std::string> names;
  for (const auto& [name, table] : impl_->tables) names.push_back(name);
  return names;
}

Result<TableDescription> TableStore::Describe(std::string_view name) const {
  const std::shared_lock lock(impl_->state_mutex);
  const auto found = impl_->tables.find(name);
  if (found == impl_->tables.end()) {
    return Error(ErrorCode::kNotFound,
                 "Requested resource not found: Table: " + std::string(name) + " not found");
  }
  return found->second->Describe();
}

Result<TableDescription> TableStore::About(std::string_view name) const {
  const std::shared_lock lock(impl_->state_mutex);
  const auto found = impl_->tables.find(name);
  if (found == impl_->tables.end()) return Error(ErrorCode::kNotFound, "Requested resource not found");
  return found->second->about();
}

Result<std::optional<Item>> TableStore::Get(std::string_view table, const Item& key) const {
  Row row;
  {
    const std::shared_lock lock(impl_->state_mutex);
    const auto found = impl_->tables.find(table);
    if (found == impl_->tables.end()) return Error(ErrorCode::kNotFound, "Requested resource not found");
    HONRYU_TRY(const std::string bytes, KeyOf(found->second->about(), key, true));
    const auto stored = found->second->rows().find(bytes);
    if (stored == found->second->rows().end()) return std::optional<Item>();
    row = stored->second;
  }
  HONRYU_TRY(Item item, DecodeItem(*row.encoded));
  return std::optional<Item>(std::move(item));
}

Result<Page> TableStore::Read(const ReadRequest& request) const {
  Taken taken;
  TableDescription about;
  std::optional<IndexDescription> index;
  {
    const std::shared_lock lock(impl_->state_mutex);
    const auto found = impl_->tables.find(request.table);
    if (found == impl_->tables.end()) return Error(ErrorCode::kNotFound, "Requested resource not found");
    const Table& table = *found->second;
    about = table.about();
    const IndexRows* entries = nullptr;
    if (!request.index.empty()) {
      const auto described = std::ranges::find(about.indexes, request.index, &IndexDescription::name);
      entries = table.FindIndex(request.index);
      if (entries == nullptr || described == about.indexes.end()) {
        return Error(ErrorCode::kInvalidArgument,
                     "The table does not have the specified index: " + request.index);
      }
      index = *described;
    }
    const KeySchema& schema = index ? index->key : about.key;
    KeyRange range;
    if (request.keys) {
      HONRYU_TRY(range, RangeOf(schema, *request.keys));
    }
    std::optional<std::string> after;
    if (request.start_after) {
      const Error invalid(ErrorCode::kInvalidArgument, "The provided starting key is invalid");
      const Result<std::string> primary = KeyOf(about, KeyItem(about, nullptr, *request.start_after), true);
      if (!primary.ok()) return invalid;
      after = *primary;
      if (index) after = IndexKeyOf(*index, *request.start_after, *primary);
      if (!after) return invalid;
    }
    const auto take = [&](std::string_view sorted, const Row& row) {
      // Items of one hash key are one segment's.
      if (request.segments > 1 &&
          Hash64(HashPart(sorted, schema.hash.type)) % request.segments != request.segment)
        return true;
      if ((request.limit > 0 && taken.rows.size() >= request.limit) ||
          (!taken.rows.empty() && taken.bytes + row.bytes > kPageBytes)) {
        taken.more = true;
        return false;
      }
      taken.rows.push_back(row);
      taken.bytes += row.bytes;
      return true;
    };
    if (entries != nullptr) {
      Walk(*entries, range, after, request.backwards, [&](const IndexRows::value_type& entry) {
        return take(entry.first, table.rows().find(entry.second)->second);
      });
    } else {
      Walk(table.rows(), range, after, request.backwards,
           [&](const Rows::value_type& row) { return take(row.first, row.second); });
    }
  }
  // As DynamoDB: a page that the limit ended has a last key, though nothing may follow.
  if (request.limit > 0 && taken.rows.size() >= request.limit) taken.more = true;
  Page page;
  page.scanned = taken.rows.size();
  page.bytes = taken.bytes;
  const IndexDescription* of_index = index ? &*index : nullptr;
  const std::vector<Path> projected = index && !index->all ? PathsOf(about, *index) : std::vector<Path>();
  for (std::size_t i = 0; i < taken.rows.size(); ++i) {
    HONRYU_TRY(Item item, DecodeItem(*taken.rows[i].encoded));
    if (taken.more && i + 1 == taken.rows.size()) page.last_key = KeyItem(about, of_index, item);
    if (!projected.empty()) item = Project(item, projected);
    if (request.filter && !Matches(*request.filter, item)) continue;
    page.items.push_back(std::move(item));
  }
  return page;
}

}  // namespace honryu::tables
