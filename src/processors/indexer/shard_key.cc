#include "processors/indexer/shard_key.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace honryu::processors::indexer {
namespace {

constexpr std::string_view kPrefix = "shardId-";
constexpr std::size_t kDigits = 12;

bool AllDigits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string ShardKey::Text() const {
  std::string_view name = shard_id;
  if (name.size() == kPrefix.size() + kDigits && name.starts_with(kPrefix) &&
      AllDigits(name.substr(kPrefix.size()))) {
    name.remove_prefix(kPrefix.size());
    name.remove_prefix(std::min(name.find_first_not_of('0'), kDigits - 1));
  }
  char created[24];
  std::snprintf(created, sizeof created, "%llx", static_cast<unsigned long long>(created_s));
  return stream + "." + std::string(name) + "." + created;
}

std::optional<ShardKey> ShardKey::Parse(std::string_view text) {
  const auto last = text.rfind('.');
  if (last == std::string_view::npos || last == 0) return std::nullopt;
  const auto middle = text.rfind('.', last - 1);
  if (middle == std::string_view::npos || middle == 0) return std::nullopt;
  ShardKey key;
  key.stream = text.substr(0, middle);
  const auto name = text.substr(middle + 1, last - middle - 1);
  const auto created = text.substr(last + 1);
  const auto [end, error] =
      std::from_chars(created.data(), created.data() + created.size(), key.created_s, 16);
  if (error != std::errc() || end != created.data() + created.size() || name.empty()) return std::nullopt;
  if (name.size() <= kDigits && AllDigits(name))
    key.shard_id = std::string(kPrefix) + std::string(kDigits - name.size(), '0') + std::string(name);
  else
    key.shard_id = name;
  return key;
}

}  // namespace honryu::processors::indexer
