#include "honryu/log/encryption.h"

#include "honryu/base/check.h"
#include "honryu/codec/endian.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <set>

namespace honryu::log {
namespace {

// A sealed body: fingerprint of the secret, salt, nonce counter, ciphertext, tag. On disk: never change.
constexpr std::size_t kFingerprint = 8, kSalt = 16, kCounter = 8, kTag = 16;
constexpr std::size_t kPrefix = kFingerprint + kSalt + kCounter;
constexpr std::size_t kSecret = 32;
constexpr std::string_view kInfo = "honryu log unit v1";
// Derived keys kept at hand; one for each writer whose records are being read.
constexpr std::size_t kMaxDerived = 4096;

using Secret = std::array<unsigned char, kSecret>;

const unsigned char* Data(BytesView text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* Data(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string Fingerprint(const std::string& secret) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(Data(secret), secret.size(), digest.data());
  return std::string(reinterpret_cast<const char*>(digest.data()), kFingerprint);
}

// HKDF-SHA256 (RFC 5869).
Secret Derive(const std::string& secret, BytesView salt) {
  Secret out{};
  std::size_t size = out.size();
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr), EVP_PKEY_CTX_free);
  const bool done =
      context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
      EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) == 1 &&
      EVP_PKEY_CTX_set1_hkdf_salt(context.get(), Data(salt), static_cast<int>(salt.size())) == 1 &&
      EVP_PKEY_CTX_set1_hkdf_key(context.get(), Data(BytesView(secret)), static_cast<int>(secret.size())) ==
          1 &&
      EVP_PKEY_CTX_add1_hkdf_info(context.get(), Data(BytesView(kInfo)), static_cast<int>(kInfo.size())) ==
          1 &&
      EVP_PKEY_derive(context.get(), out.data(), &size) == 1;
  HONRYU_CHECK(done && size == out.size(), "deriving a key failed");
  return out;
}

std::array<unsigned char, 12> NonceOf(std::uint64_t counter) {
  std::array<unsigned char, 12> nonce{};
  codec::StoreU64(reinterpret_cast<char*>(nonce.data()) + 4, counter);
  return nonce;
}

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

class AesSealer final : public Sealer {
 public:
  AesSealer(std::string id, const std::string& secret) : id_(std::move(id)), prefix_(Fingerprint(secret)) {
    prefix_.resize(kFingerprint + kSalt);
    HONRYU_CHECK(RAND_bytes(Data(prefix_) + kFingerprint, kSalt) == 1, "no random numbers");
    key_ = Derive(secret, BytesView(prefix_).substr(kFingerprint));
  }

  const std::string& key_id() const override { return id_; }

  std::string Seal(BytesView header, BytesView body) override {
    const std::uint64_t counter = counter_.fetch_add(1, std::memory_order_relaxed);
    std::string out;
    out.reserve(Overhead() + body.size());
    out = prefix_;
    codec::AppendU64(out, counter);
    out.resize(Overhead() + body.size());
    unsigned char* const text = Data(out) + kPrefix;
    const Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    int size = 0, rest = 0;
    const bool done =
        cipher != nullptr &&
        EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), NonceOf(counter).data()) ==
            1 &&
        EVP_EncryptUpdate(cipher.get(), nullptr, &size, Data(header), static_cast<int>(header.size())) == 1 &&
        EVP_EncryptUpdate(cipher.get(), text, &size, Data(body), static_cast<int>(body.size())) == 1 &&
        EVP_EncryptFinal_ex(cipher.get(), text + size, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTag, text + body.size()) == 1;
    HONRYU_CHECK(done, "encrypting failed");
    return out;
  }

 private:
  const std::string id_;
  std::string prefix_;
  Secret key_{};
  std::atomic<std::uint64_t> counter_{0};
};

class Ring final : public KeyRing {
 public:
  explicit Ring(std::vector<EncryptionKey> keys) : keys_(std::move(keys)) {
    for (const EncryptionKey& key : keys_) by_fingerprint_[Fingerprint(key.secret)] = &key;
  }

  std::vector<std::string> ids() const override {
    std::vector<std::string> out;
    for (const EncryptionKey& key : keys_) out.push_back(key.id);
    return out;
  }

  std::shared_ptr<Sealer> MakeSealer(std::string_view id) const override {
    for (const EncryptionKey& key : keys_) {
      if (key.id == id) return std::make_shared<AesSealer>(key.id, key.secret);
    }
    return nullptr;
  }

  Result<std::string> Open(BytesView header, BytesView sealed) const override {
    if (sealed.size() < Sealer::Overhead()) return Error(ErrorCode::kCorrupt, "sealed unit is cut short");
    HONRYU_TRY(const Secret key, KeyOf(sealed.substr(0, kFingerprint + kSalt)));
    const auto nonce = NonceOf(codec::LoadU64(sealed.data() + kFingerprint + kSalt));
    const BytesView body = sealed.substr(kPrefix, sealed.size() - Sealer::Overhead());
    std::string tag(sealed.substr(sealed.size() - kTag));
    std::string out(body.size(), '\0');
    const Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    int size = 0, rest = 0;
    const bool begun =
        cipher != nullptr &&
        EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1 &&
        EVP_DecryptUpdate(cipher.get(), nullptr, &size, Data(header), static_cast<int>(header.size())) == 1 &&
        EVP_DecryptUpdate(cipher.get(), Data(out), &size, Data(body), static_cast<int>(body.size())) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTag, tag.data()) == 1;
    HONRYU_CHECK(begun, "decrypting failed");
    if (EVP_DecryptFinal_ex(cipher.get(), Data(out) + size, &rest) != 1)
      return Error(ErrorCode::kCorrupt, "sealed unit is not what was written");
    return out;
  }

 private:
  Result<Secret> KeyOf(BytesView prefix) const {
    const std::lock_guard lock(mutex_);
    if (const auto known = derived_.find(prefix); known != derived_.end()) return known->second;
    const auto secret = by_fingerprint_.find(prefix.substr(0, kFingerprint));
    if (secret == by_fingerprint_.end()) {
      return Error(ErrorCode::kUnavailable,
                   "the records are encrypted with a key that is not among storage.encryption_keys");
    }
    if (derived_.size() >= kMaxDerived) derived_.clear();
    const Secret key = Derive(secret->second->secret, prefix.substr(kFingerprint));
    derived_.emplace(prefix, key);
    return key;
  }

  const std::vector<EncryptionKey> keys_;
  std::map<std::string, const EncryptionKey*, std::less<>> by_fingerprint_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Secret, std::less<>> derived_;
};

}  // namespace

std::size_t Sealer::Overhead() { return kPrefix + kTag; }

Result<std::shared_ptr<const KeyRing>> KeyRing::Make(std::vector<EncryptionKey> keys) {
  std::set<std::string> ids, secrets;
  for (const EncryptionKey& key : keys) {
    if (key.id.empty() || key.id.size() > 2048)
      return Error(ErrorCode::kInvalidArgument, "an encryption key's id has 1 to 2048 characters");
    if (key.secret.size() != kSecret) {
      return Error(ErrorCode::kInvalidArgument, "encryption key " + key.id + ": the secret has " +
                                                    std::to_string(key.secret.size()) + " bytes, not 32");
    }
    if (!ids.insert(key.id).second)
      return Error(ErrorCode::kInvalidArgument, "encryption key " + key.id + " stands twice");
    if (!secrets.insert(key.secret).second)
      return Error(ErrorCode::kInvalidArgument, "encryption key " + key.id + " has the secret of another");
  }
  return std::shared_ptr<const KeyRing>(std::make_shared<Ring>(std::move(keys)));
}

}  // namespace honryu::log
