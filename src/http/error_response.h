#pragma once

#include "honryu/http/message.h"

#include <string_view>

namespace honryu::http {

/// {"error":{"code":…,"message":…,"request_id":…}}: the shape of every failure that the server itself
/// reports.
Response ErrorResponse(int status, std::string_view code, std::string_view message,
                       std::string_view request_id);

}  // namespace honryu::http
