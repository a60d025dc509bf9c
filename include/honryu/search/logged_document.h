#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu::search {

/// What a write asks for when its `_id` is there already.
enum class WriteKind : std::uint8_t {
  kAppend,  ///< Always added: documents without an `_id` of their own, or with one known to be new.
  kCreate,  ///< The first one stays; later ones are left out.
  kIndex,   ///< The later one takes the place of the earlier.
  kDelete,  ///< The earlier one goes; there is no source.
};

/// A write to an index as it stands in the log, one record each:
/// {"_index":"logs","_id":"7","_op":"index","_source":{…}}. "_id" and "_op" may be missing, the order is
/// free;
/// "_source" is kept byte for byte.
struct LoggedDocument {
  std::string index;
  std::string id;  ///< Empty: none.
  WriteKind kind = WriteKind::kAppend;
  BytesView source;  ///< A JSON object; a view into what was decoded.
};

/// The record of a write.
std::string EncodeLoggedDocument(const LoggedDocument& document);
/// kInvalidArgument says what is wrong with a record.
Result<LoggedDocument> DecodeLoggedDocument(BytesView record);

}  // namespace honryu::search
