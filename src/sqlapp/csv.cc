#include "sqlapp/csv.h"

#include <algorithm>
#include <utility>

namespace honryu::sqlapp {

Result<bool> TakeCsv(std::string_view& text, std::vector<std::string>& fields, std::size_t& lines) {
  fields.clear();
  if (text.empty()) return false;
  const std::size_t first_line = lines + 1;
  std::string field;
  bool quoted = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') ++lines;
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        field += text[++at];
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.push_back(std::move(field));
      field.clear();
    } else if (c == '\n') {
      break;
    } else {
      field += c;
    }
  }
  if (quoted)
    return Error(ErrorCode::kInvalidArgument,
                 "line " + std::to_string(first_line) + " has a quote that does not end");
  if (!field.empty() && field.back() == '\r') field.pop_back();
  fields.push_back(std::move(field));
  text.remove_prefix(std::min(at + 1, text.size()));
  return true;
}

}  // namespace honryu::sqlapp
