#pragma once

#include "honryu/base/bytes.h"

#include <array>
#include <cstdint>
#include <string>

namespace honryu::auth {

/// A SHA-256 digest or HMAC.
struct Digest {
  std::array<char, 32> bytes{};
  BytesView view() const { return BytesView(bytes.data(), bytes.size()); }
  std::string Hex() const;  ///< Lower case.
};

Digest Sha256(BytesView text);
Digest HmacSha256(BytesView key, BytesView text);
/// Takes as long whatever the first difference; only a difference in length shows.
bool EqualInConstantTime(BytesView a, BytesView b);

}  // namespace honryu::auth
