#include "api/gateway/partition_key.h"

namespace honryu::api::gateway {

namespace {

constexpr std::size_t kMaxKeyCharacters = 256;  // Kinesis's limit of a partition key.
constexpr std::size_t kMaxPaths = 16;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// At most kMaxKeyCharacters characters of valid UTF-8.
BytesView CutCharacters(BytesView text) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (characters++ == kMaxKeyCharacters) return text.substr(0, i);
  }
  return text;
}

std::string KeyText(BytesView value) {
  if (value.empty() || value.front() == '{' || value.front() == '[' || value == "null") return {};
  if (value.front() != '"') return std::string(CutCharacters(value));
  std::string buffer;
  return std::string(CutCharacters(JsonStringView(value, &buffer)));
}

}  // namespace

Result<PartitionKeyExpression> PartitionKeyExpression::Parse(std::string_view text) {
  PartitionKeyExpression expression;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view path = Trim(text.substr(0, comma));
    if (path.empty() || path.front() == '.' || path.back() == '.' ||
        path.find("..") != std::string_view::npos) {
      return Error(ErrorCode::kInvalidArgument,
                   "expected dotted paths with commas between, found \"" + std::string(path) + "\"");
    }
    expression.paths_.emplace_back(path);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (expression.paths_.size() > kMaxPaths) return Error(ErrorCode::kInvalidArgument, "more than 16 paths");
  return expression;
}

std::string PartitionKeyExpression::Evaluate(const std::vector<JsonMember>& members) const {
  for (const std::string& path : paths_) {
    const std::size_t dot = path.find('.');
    const std::string_view head = std::string_view(path).substr(0, dot);
    for (const JsonMember& member : members) {
      BytesView value;
      if (member.key == path) {
        value = member.value;
      } else if (dot == std::string::npos || member.key != head ||
                 !FindMember(member.value, std::string_view(path).substr(dot + 1), &value)) {
        continue;
      }
      std::string key = KeyText(value);
      if (!key.empty()) return key;
    }
  }
  return {};
}

}  // namespace honryu::api::gateway
