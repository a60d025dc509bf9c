#pragma once

#include "honryu/tables/table_store.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::tables {

/// A stored item.
struct Row {
  std::shared_ptr<const std::string> encoded;
  std::size_t bytes = 0;  ///< DynamoDB's size.
};
using Rows = std::map<std::string, Row, std::less<>>;
/// An index: bytes that sort as its keys do, with the primary key behind them, to the primary key.
using IndexRows = std::map<std::string, std::string, std::less<>>;

/// What a row of the table, or an entry of an index, counts against the bound of the store: what it holds and
/// about what the maps take for it.
inline constexpr std::size_t kRowOverhead = 160;
std::size_t Footprint(std::string_view key, const Row& row);

/// A table in memory. Not thread-safe.
class Table {
 public:
  explicit Table(TableDescription about);

  const TableDescription& about() const { return about_; }
  const Rows& rows() const { return rows_; }
  const IndexRows* FindIndex(std::string_view name) const;
  std::uint64_t bytes() const { return bytes_; }
  /// All of it, indexes too.
  std::uint64_t footprint() const { return footprint_; }

  /// Stores or erases; keeps the indexes right.
  void Replace(const std::string& key, std::optional<Row> row);
  /// Takes over a changed description and fills indexes that are new.
  void Redefine(TableDescription about);
  /// The description with what only the rows tell.
  TableDescription Describe() const;

 private:
  void Enter(const IndexDescription& index, const std::string& key, const Item& item);
  void Leave(const IndexDescription& index, const std::string& key, const Item& item);

  TableDescription about_;
  Rows rows_;
  std::map<std::string, IndexRows, std::less<>> indexes_;
  std::uint64_t bytes_ = 0;
  std::uint64_t footprint_ = 0;
};

/// The stored form of a description: an item.
std::string EncodeDescription(const TableDescription& about);
Result<TableDescription> DecodeDescription(std::string_view bytes);

/// The bytes of an item's key. kInvalidArgument in DynamoDB's words: an attribute is missing, empty or of
/// another type. `exactly`: it may have no other attributes (it was given as a key).
Result<std::string> KeyOf(const TableDescription& about, const Item& item, bool exactly);
/// The bytes of its key in an index, with its primary key behind; nullopt when it is not in the index.
std::optional<std::string> IndexKeyOf(const IndexDescription& index, const Item& item,
                                      std::string_view primary);
/// kInvalidArgument when a key attribute of an index has another type or is empty.
Result<void> CheckIndexKeys(const TableDescription& about, const Item& item);
/// The least bytes above all that begin with `prefix`.
std::string AfterPrefix(std::string prefix);
/// The attributes that make up the key of the table and of the index, if any.
Item KeyItem(const TableDescription& about, const IndexDescription* index, const Item& item);

}  // namespace honryu::tables
