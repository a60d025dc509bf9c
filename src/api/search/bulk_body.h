#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/search/logged_document.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::search {

/// One action of a bulk request.
struct BulkItem {
  std::string action;  ///< "index", "create", "update", "delete".
  std::string index, id;
  std::optional<bool> require_alias{};  ///< The index must be an alias.
  std::optional<std::uint64_t> if_seq_no{};
  BytesView source;  ///< A view into the body; empty for delete.
};

/// Reads the lines of a bulk body: an action, and except for delete its source. CRLF and a missing last line
/// end are taken. kInvalidArgument, with a type of the API in front, when the lines cannot be told apart, or
/// there are more than `max_items` actions.
Result<std::vector<BulkItem>> ParseBulkBody(BytesView body, std::string_view default_index,
                                            std::size_t max_items);

/// kInvalidArgument when `source` is no JSON object.
Result<void> CheckSource(BytesView source);

}  // namespace honryu::api::search
