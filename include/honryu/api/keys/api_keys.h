#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/http/message.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::keys {

/// What a key may be for: "write" (post events), "read" (key figures), "admin" (everything).
inline constexpr std::array<std::string_view, 3> kScopes = {"write", "read", "admin"};

/// One secret that lets its holder in.
struct ApiKey {
  std::string name;                          ///< Shown in logs and answers; 1..64 characters.
  std::string key;                           ///< The secret, 8..256 characters. Never logged.
  double events_per_second = 0;              ///< Rate limit of posted events; 0: none.
  std::vector<std::string> scopes{"write"};  ///< Of kScopes, at least one.
};

/// kInvalidArgument with every fault found, separated by "; ", or ok. No secret is in the message.
Result<void> CheckApiKeys(const std::vector<ApiKey>& keys);

/// Limits a rate: `rate` tokens a second, at most one second's worth saved up (at least 1). A request that
/// asks for more than can ever be saved is let through when the bucket is full and leaves it in debt, so that
/// large batches pass at the same mean rate. Thread-safe.
class TokenBucket {
 public:
  /// `rate` > 0.
  TokenBucket(double rate, MonoTime now);
  /// Takes `count` tokens and returns zero, or takes none and returns how long to wait before trying again.
  Duration Take(double count, MonoTime now);

 private:
  const double rate_;
  const double capacity_;
  std::mutex mutex_;
  double tokens_;
  MonoTime filled_;
};

/// Who may come in. Immutable apart from the buckets; thread-safe.
class ApiKeys {
 public:
  ApiKeys(const std::vector<ApiKey>& keys, const Clock& clock);

  enum class Verdict : std::uint8_t { kAllowed, kMissing, kUnknown, kForbidden };
  struct Caller {
    Verdict verdict = Verdict::kAllowed;
    std::string_view name;  ///< Of the key; empty when keys are not in use. Valid as long as the ApiKeys.
    TokenBucket* limit = nullptr;  ///< Null: no limit.
  };
  /// May the sender of `request` do what `scope` (one of kScopes) stands for? Without keys everybody may.
  /// Looks for the key in "Authorization: Bearer …", X-Api-Key and ?api_key=, in this order. Compares digests
  /// in constant time, all of them.
  Caller Identify(const http::Request& request, std::string_view scope) const;
  /// The same for a key that was found elsewhere; empty: none was presented.
  Caller Identify(std::string_view presented, std::string_view scope) const;
  bool in_use() const { return !keys_.empty(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Known {
    std::string name;
    Digest digest;
    std::vector<std::string> scopes;
    std::unique_ptr<TokenBucket> limit;
  };
  static Digest DigestOf(std::string_view key);
  std::vector<Known> keys_;
};

}  // namespace honryu::api::keys
