#pragma once

#include "honryu/config/schema.h"

#include <string>
#include <string_view>

namespace honryu::config {

/// The current values (of fresh structs: the defaults) as YAML that Load() reads back, every field under its
/// doc and its bounds. Secrets that are set show as "***".
std::string PrintYaml(const DescribeFunction& describe);
/// A reference page: a table of key, type, default and meaning for each section.
std::string PrintMarkdown(const DescribeFunction& describe, std::string_view title);
/// JSON Schema (draft 2020-12) for editors that check YAML.
std::string PrintJsonSchema(const DescribeFunction& describe, std::string_view title);

}  // namespace honryu::config
