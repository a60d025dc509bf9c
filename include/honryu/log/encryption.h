#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::log {

/// A secret that records are encrypted with where they are stored.
struct EncryptionKey {
  std::string id;      ///< 1..2048 characters; what operators and clients call it.
  std::string secret;  ///< 32 bytes.
};

/// Seals the bodies of one writer's units with AES-256-GCM (NIST SP 800-38D). Every sealer has a key of its
/// own, derived from the secret and a random salt with HKDF-SHA256 (RFC 5869), and counts its nonces up, so
/// that no pair of key and nonce is ever used twice, whoever else has the secret. Thread-safe.
class Sealer {
 public:
  virtual ~Sealer() = default;
  virtual const std::string& key_id() const = 0;
  /// The sealed body, Overhead() bytes longer. `header` is authenticated with it, not stored.
  virtual std::string Seal(BytesView header, BytesView body) = 0;
  static std::size_t Overhead();
};

/// The secrets that this process has: the ones to write with and those that older records need. Thread-safe.
class KeyRing {
 public:
  /// kInvalidArgument: an id twice or out of bounds, a secret of another length or twice.
  static Result<std::shared_ptr<const KeyRing>> Make(std::vector<EncryptionKey> keys);
  virtual ~KeyRing() = default;

  /// In the order of configuration; the first is the default.
  virtual std::vector<std::string> ids() const = 0;
  /// Null when there is no such key.
  virtual std::shared_ptr<Sealer> MakeSealer(std::string_view id) const = 0;
  /// What Seal was given. kUnavailable: sealed with a secret that is not here; kCorrupt: altered or cut.
  virtual Result<std::string> Open(BytesView header, BytesView sealed) const = 0;
};

}  // namespace honryu::log
