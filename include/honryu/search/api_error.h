#pragma once

#include "honryu/base/error.h"

#include <string>
#include <string_view>

namespace honryu::search {

/// An error as OpenSearch's API shows it.
struct ApiError {
  int status = 500;
  std::string type;    ///< "parsing_exception", "illegal_argument_exception" …
  std::string reason;  ///< For people.
};

/// Errors of this module carry their type in front of the message ("parsing_exception: unknown query [x]");
/// others get one from their code.
ApiError ToApiError(const Error& error);
/// {"error":{"root_cause":[{"type","reason"}],"type","reason"},"status"}; with `index` it is named in both.
std::string ErrorBody(const ApiError& error, std::string_view index = {});

/// Errors with a type of the API in front.
Error ParsingError(std::string_view reason);
Error IllegalArgument(std::string_view reason);

}  // namespace honryu::search
