#pragma once

#include "sql/plan.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// Takes from JSON records the columns of a stream that queries read, and only those (simdjson, on demand).
class JsonReader {
 public:
  explicit JsonReader(const StreamInfo& stream);
  ~JsonReader();
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  /// Reads one record into `rows` (count() of them; columns that are not read are left as they are). False:
  /// the record is bad; error_name and error say why.
  bool Read(std::string_view json);
  std::size_t count() const { return count_; }
  std::vector<Value>& row(std::size_t number) { return rows_[number]; }
  std::string_view error_name() const { return error_name_; }
  const std::string& error() const { return error_; }

 private:
  struct Parser;
  struct Wanted {
    std::size_t column = 0;
    std::string key;  ///< Of the top-level member.
    bool any_case = false;
    JsonPath rest;           ///< Behind it.
    std::uint64_t seen = 0;  ///< The record that had it last.
  };

  bool Bad(std::string_view name, std::string message);
  bool MayBeMissing(std::size_t column) const;
  bool ReadObject(std::string_view json, std::vector<Value>& row);
  bool Flatten(std::string_view json);
  bool FromText(std::string_view json, const Column& column, Value& out);

  const StreamInfo& stream_;
  std::unique_ptr<Parser> parser_;
  std::vector<Wanted> wanted_;
  std::uint64_t records_ = 0;
  std::vector<std::size_t> each_;  ///< Columns whose path runs through an array.
  JsonPath array_;                 ///< The way to that array.
  std::vector<std::vector<Value>> rows_;
  std::size_t count_ = 0;
  std::string_view error_name_;
  std::string error_;
};

}  // namespace honryu::sql
