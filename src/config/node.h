#pragma once

#include "honryu/config/schema.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::config::internal {

/// One scalar without its type.
struct Value {
  std::string expected;              ///< "a whole number from 1 to 65535"
  std::string json_type;             ///< As in JSON Schema.
  std::string json_min, json_max;    ///< Bounds of numbers, as JSON; empty: none.
  std::vector<std::string> allowed;  ///< Of texts and enumerations; empty: any.
  bool optional = false;
  bool text = false;  ///< Printed with quotes where YAML would take it for something else.
  std::function<bool(std::string_view)> set;  ///< False, and no change, if the text is not `expected`.
  std::function<void()> reset;                ///< Of optional ones.
  std::function<bool()> is_set;               ///< Of optional ones.
  std::function<std::string()> get;           ///< As `set` would take it.
};

struct Node {
  enum class Kind { kValue, kTexts, kSection, kList };
  std::string key;
  FieldDoc doc;
  Kind kind = Kind::kValue;
  Value value;                                // kValue; kTexts: `set` of an item checks only
  std::vector<std::string>* texts = nullptr;  // kTexts
  std::unique_ptr<Section> section;           // kSection
  ListAccess list;                            // kList
};

}  // namespace honryu::config::internal
