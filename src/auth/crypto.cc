#include "auth/crypto.h"

#include "honryu/base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace honryu::auth {

namespace {
const unsigned char* Raw(BytesView text) { return reinterpret_cast<const unsigned char*>(text.data()); }
}  // namespace

std::string Digest::Hex() const {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out.push_back("0123456789abcdef"[static_cast<std::uint8_t>(c) >> 4]);
    out.push_back("0123456789abcdef"[static_cast<std::uint8_t>(c) & 15]);
  }
  return out;
}

Digest Sha256(BytesView text) {
  Digest digest;
  unsigned size = 0;
  const int done = EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.bytes.data()),
                              &size, EVP_sha256(), nullptr);
  HONRYU_CHECK(done == 1 && size == digest.bytes.size(), "sha-256 failed");
  return digest;
}

Digest HmacSha256(BytesView key, BytesView text) {
  Digest digest;
  unsigned size = 0;
  const unsigned char* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Raw(text),
                                   text.size(), reinterpret_cast<unsigned char*>(digest.bytes.data()), &size);
  HONRYU_CHECK(done != nullptr && size == digest.bytes.size(), "hmac failed");
  return digest;
}

bool EqualInConstantTime(BytesView a, BytesView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace honryu::auth
