#include "honryu/api/keys/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace honryu::api::keys {

namespace {

/// The secret in an Authorization header of the Bearer scheme (RFC 6750; the scheme's case does not matter),
/// or empty.
std::string_view BearerToken(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() <= kScheme.size()) return {};
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if ((i < 6 ? header[i] | 0x20 : header[i]) != kScheme[i]) return {};
  }
  header.remove_prefix(kScheme.size());
  while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
  return header;
}

std::string_view PresentedKey(const http::Request& request) {
  std::string_view key = BearerToken(request.headers.Get("Authorization"));
  if (key.empty()) key = request.headers.Get("X-Api-Key");
  if (key.empty()) {
    if (const std::string* query = request.Query("api_key")) key = *query;
  }
  return key;
}

}  // namespace

Result<void> CheckApiKeys(const std::vector<ApiKey>& keys) {
  std::string faults;
  const auto expect = [&faults](bool good, const std::string& fault) {
    if (good) return;
    if (!faults.empty()) faults += "; ";
    faults += "api_keys: " + fault;
  };
  std::set<std::string_view> names, secrets;
  for (const ApiKey& key : keys) {
    expect(!key.name.empty() && key.name.size() <= 64, "a name has 1 to 64 characters");
    expect(key.key.size() >= 8 && key.key.size() <= 256,
           "the key of \"" + key.name + "\" must have 8 to 256 characters");
    expect(key.events_per_second >= 0, "events_per_second of \"" + key.name + "\" must not be negative");
    expect(names.insert(key.name).second, "two keys have the name \"" + key.name + "\"");
    expect(secrets.insert(key.key).second, "\"" + key.name + "\" has the same key as another one");
    expect(!key.scopes.empty(), "\"" + key.name + "\" has no scope: expected some of write, read, admin");
    for (const std::string& scope : key.scopes) {
      expect(std::find(kScopes.begin(), kScopes.end(), scope) != kScopes.end(),
             "unknown scope \"" + scope + "\" of \"" + key.name + "\": expected write, read or admin");
    }
  }
  if (!faults.empty()) return Error(ErrorCode::kInvalidArgument, faults);
  return Ok();
}

TokenBucket::TokenBucket(double rate, MonoTime now)
    : rate_(rate), capacity_(std::max(1.0, rate)), tokens_(capacity_), filled_(now) {}

Duration TokenBucket::Take(double count, MonoTime now) {
  const std::lock_guard lock(mutex_);
  if (now > filled_) {
    const double seconds = std::chrono::duration<double>(now - filled_).count();
    tokens_ = std::min(capacity_, tokens_ + seconds * rate_);
    filled_ = now;
  }
  const double needed = std::min(count, capacity_);
  // Sums of fractions may fall short by a rounding error.
  constexpr double kSlack = 1e-6;
  if (tokens_ + kSlack >= needed) {
    tokens_ -= count;
    return Duration::zero();
  }
  const double seconds = std::min((needed - tokens_) / rate_, 86400.0);
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)) +
         std::chrono::milliseconds(1);
}

ApiKeys::ApiKeys(const std::vector<ApiKey>& keys, const Clock& clock) {
  for (const ApiKey& key : keys) {
    Known known{key.name, DigestOf(key.key), key.scopes, nullptr};
    if (key.events_per_second > 0)
      known.limit = std::make_unique<TokenBucket>(key.events_per_second, clock.Mono());
    keys_.push_back(std::move(known));
  }
}

ApiKeys::Digest ApiKeys::DigestOf(std::string_view key) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

ApiKeys::Caller ApiKeys::Identify(const http::Request& request, std::string_view scope) const {
  return Identify(PresentedKey(request), scope);
}

ApiKeys::Caller ApiKeys::Identify(std::string_view presented, std::string_view scope) const {
  if (keys_.empty()) return {};
  if (presented.empty()) return {Verdict::kMissing, {}, nullptr};
  const Digest digest = DigestOf(presented);
  const Known* found = nullptr;
  for (const Known& known : keys_) {
    if (CRYPTO_memcmp(known.digest.data(), digest.data(), digest.size()) == 0) found = &known;
  }
  if (found == nullptr) return {Verdict::kUnknown, {}, nullptr};
  const bool allowed =
      std::any_of(found->scopes.begin(), found->scopes.end(),
                  [scope](const std::string& own) { return own == scope || own == "admin"; });
  return {allowed ? Verdict::kAllowed : Verdict::kForbidden, found->name, found->limit.get()};
}

}  // namespace honryu::api::keys
