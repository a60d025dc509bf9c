#pragma once

#include "honryu/auth/sigv4.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

// The canonical form of a request that Signature Version 4 signs.
namespace honryu::auth {

bool EqualsIgnoringCase(std::string_view a, std::string_view b);
std::string LowerCase(std::string_view text);

/// First header of that name (any case), without blanks around it; empty if absent.
std::string_view FindHeader(std::span<const HeaderField> headers, std::string_view name);

struct QueryParameter {
  std::string name, value;  ///< Percent-decoded; a broken escape stays as it is.
};
/// Behind the first '?' of a target.
std::string_view QueryOf(std::string_view target);
std::vector<QueryParameter> ParseRawQuery(std::string_view query);
const QueryParameter* FindParameter(const std::vector<QueryParameter>& query, std::string_view name);

/// Method, path, query, headers, their names and the payload's hash, a line each. The path is normalised and
/// encoded once more, as for every service but S3; X-Amz-Signature is left out of the query.
std::string CanonicalRequest(const RequestView& request, std::span<const std::string> signed_headers,
                             std::string_view payload_hash);

}  // namespace honryu::auth
