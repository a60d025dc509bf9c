#pragma once

#include "honryu/auth/sigv4.h"
#include "honryu/http/message.h"

#include <optional>

namespace honryu::api::kinesis {

/// Verifies the request's signature; the fault, or nullopt and whose it is.
std::optional<wire::Fault> Authenticate(const auth::Verifier& verifier, const http::Request& request,
                                        Timestamp now, auth::Verified& out);

}  // namespace honryu::api::kinesis
