#pragma once

#include "honryu/auth/access_key.h"
#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/wire/fault.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// AWS Signature Version 4 (AWS IAM user guide, "Signing AWS API requests"): the Authorization header, and the
// presigned form in the query.
namespace honryu::auth {

using HeaderField = std::pair<std::string, std::string>;

/// A request as it came over the wire.
struct RequestView {
  std::string_view method;               ///< "POST"
  std::string_view target;               ///< Path and query as sent, not decoded.
  std::span<const HeaderField> headers;  ///< In order of arrival; names in any case. Holds Host.
  BytesView body;                        ///< As signed, that is before any decompression.
};

/// What a request says about its signature; nothing of it is verified.
struct Claim {
  bool presigned = false;                   ///< In the query instead of the Authorization header.
  std::string access_key;                   ///< Its id.
  std::string date, region, service;        ///< The scope, with "aws4_request" behind it.
  std::string time_text;                    ///< "20150830T123600Z"
  Timestamp time;                           ///< The same.
  Duration expires = Duration::zero();      ///< Presigned only: life from `time`.
  std::vector<std::string> signed_headers;  ///< As listed.
  std::string signature;                    ///< As sent.
  std::string session_token;                ///< Empty: none.
};

/// Reads the claim, in Kinesis's words where its form is broken: MissingAuthenticationTokenException without
/// any, IncompleteSignatureException for a missing or malformed part, InvalidSignatureException when header
/// and query both hold one.
std::optional<wire::Fault> ReadClaim(const RequestView& request, Claim& out);

struct VerifierConfig {
  std::vector<AccessKey> keys;
  std::vector<std::string> services = {"kinesis"};  ///< The scope must name one of them; any region is taken.
  /// The signer's clock may be so far from ours (a presigned request may be as old as it says, too).
  Duration max_skew = std::chrono::minutes(5);
  Duration max_presigned_life = std::chrono::hours(24 * 7);  ///< As AWS.
  /// Whether a signature may leave the body out (x-amz-content-sha256: UNSIGNED-PAYLOAD). AWS allows it where
  /// TLS protects the body, and Kinesis not at all.
  bool allow_unsigned_payload = false;
};

/// A request whose signature is right.
struct Verified {
  const AccessKey* key = nullptr;   ///< Lives as long as the verifier.
  std::optional<std::string> body;  ///< The body without its chunk signatures, when it came in signed chunks.
};

/// Judges signatures. Thread-safe: holds nothing but its configuration.
class Verifier {
 public:
  /// `config.keys` must have passed ValidateKeys.
  explicit Verifier(VerifierConfig config);

  /// nullopt and a filled `out`, or why the request is refused, as SDKs expect it: the faults of ReadClaim,
  /// UnrecognizedClientException for an unknown key or a session token, InvalidSignatureException for a
  /// scope, time (they correct their clock by it) or signature that is wrong. The host and X-Amz-Target
  /// headers must be among the signed ones. Signatures are compared in constant time.
  std::optional<wire::Fault> Verify(const RequestView& request, Timestamp now, Verified& out) const;

 private:
  std::optional<wire::Fault> CheckClaim(const RequestView& request, const Claim& claim, Timestamp now) const;
  const AccessKey* FindKey(std::string_view id) const;
  VerifierConfig config_;
};

/// Who signs, and for what.
struct Signer {
  std::string access_key;
  std::string secret;
  std::string region = "us-east-1";
  std::string service = "kinesis";
};

/// The headers that sign a request: X-Amz-Date and Authorization. Signed are all headers given, which must
/// hold Host, and X-Amz-Date.
std::vector<HeaderField> SignatureHeaders(const Signer& signer, const RequestView& request, Timestamp now);

}  // namespace honryu::auth
