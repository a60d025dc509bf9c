#pragma once

#include "honryu/auth/sigv4.h"
#include "honryu/http/client.h"

namespace honryu::client {
/// Adds the headers of a Signature Version 4 to a complete request; nothing of it may be changed after.
void SignRequest(const auth::Signer& signer, Timestamp now, http::ClientRequest& request);
}  // namespace honryu::client
