#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace honryu::api::search {

/// The body of an update, taken apart; views into it.
struct UpdateBody {
  BytesView doc, upsert;  ///< JSON objects as written; empty: none.
  bool doc_as_upsert = false;
  bool detect_noop = true;
  bool show_source = false;  ///< "_source": the answer is to hold the document.
};
/// kInvalidArgument, with a type of the API, for scripts, unknown members, and no document at all.
Result<UpdateBody> ParseUpdateBody(BytesView body);

/// The object `over` laid over `under`: objects member by member, everything else is replaced. What is not
/// touched stays byte for byte as it was written. None when nothing would change. Both must be valid objects.
std::optional<std::string> MergeDocuments(BytesView under, BytesView over);

}  // namespace honryu::api::search
