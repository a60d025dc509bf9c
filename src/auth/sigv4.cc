#include "honryu/auth/sigv4.h"

#include "auth/canonical.h"
#include "auth/crypto.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace honryu::auth {

using wire::Fault;
using wire::FaultName;

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminator = "aws4_request";
constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
constexpr std::string_view kSignedChunks = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
constexpr std::size_t kSignatureSize = 64;
constexpr std::size_t kMaxSignedHeaders = 64;

Fault Incomplete(std::string message) {
  return {FaultName::kIncompleteSignatureException, std::move(message)};
}
Fault Invalid(std::string message) { return {FaultName::kInvalidSignatureException, std::move(message)}; }
Fault Mismatch() {
  return Invalid(
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
      "Access "
      "Key and signing method. Consult the service documentation for details.");
}

// "20150830T123600Z"
std::string BasicFormat(Timestamp time) {
  const std::string text = FormatTimestamp(time);  // 2015-08-30T12:36:00.000Z
  return text.substr(0, 4) + text.substr(5, 2) + text.substr(8, 5) + text.substr(14, 2) + text.substr(17, 2) +
         "Z";
}

std::optional<Timestamp> ParseBasicFormat(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  std::string extended(text.substr(0, 4));
  extended.append("-").append(text.substr(4, 2)).append("-").append(text.substr(6, 5)).append(":");
  extended.append(text.substr(11, 2)).append(":").append(text.substr(13));
  const Result<Timestamp> time = ParseTimestamp(extended);
  if (!time.ok()) return std::nullopt;
  return *time;
}

// "Mon, 09 Sep 2011 23:36:00 GMT", the Date header of HTTP (RFC 9110 §5.6.7), as the basic format.
std::optional<std::string> FromHttpDate(std::string_view text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT")) return std::nullopt;
  const std::size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  const std::string number = std::to_string(month / 3 + 1);
  std::string basic(text.substr(12, 4));
  basic.append(number.size() < 2 ? "0" : "").append(number).append(text.substr(5, 2)).append("T");
  return basic.append(text.substr(17, 2)).append(text.substr(20, 2)).append(text.substr(23, 2)).append("Z");
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// The value of "name=value" among parameters that are separated by commas or blanks.
std::optional<std::string_view> Parameter(std::string_view parameters, std::string_view name) {
  while (!parameters.empty()) {
    const std::size_t end = parameters.find_first_of(", ");
    const std::string_view one = parameters.substr(0, end);
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=') {
      return one.substr(name.size() + 1);
    }
    if (end == std::string_view::npos) break;
    parameters.remove_prefix(end + 1);
  }
  return std::nullopt;
}

std::optional<Fault> ReadScope(std::string_view credential, Claim& out) {
  const std::vector<std::string> parts = Split(credential, '/');
  if (parts.size() != 5) {
    return Incomplete(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
        "'" +
        std::string(credential) + "'");
  }
  out.access_key = parts[0];
  out.date = parts[1];
  out.region = parts[2];
  out.service = parts[3];
  if (parts[4] != kTerminator) {
    return Invalid("Credential should be scoped with a valid terminator: 'aws4_request', not '" + parts[4] +
                   "'.");
  }
  return std::nullopt;
}

std::optional<Fault> ReadTime(std::string_view text, Claim& out) {
  const std::optional<Timestamp> time = ParseBasicFormat(text);
  if (!time) {
    return Incomplete("Date must be in ISO-8601 'basic format'. Got '" + std::string(text) +
                      "'. See http://en.wikipedia.org/wiki/ISO_8601");
  }
  out.time = *time;
  out.time_text.assign(text);
  return std::nullopt;
}

std::optional<Fault> ReadHeaderClaim(std::string_view authorization, const RequestView& request, Claim& out) {
  const std::size_t blank = authorization.find(' ');
  const std::string_view algorithm = authorization.substr(0, blank);
  if (algorithm != kAlgorithm)
    return Incomplete("Unsupported AWS 'algorithm': '" + std::string(algorithm) + "'.");
  const std::string_view parameters = blank == std::string_view::npos ? "" : authorization.substr(blank + 1);
  const auto credential = Parameter(parameters, "Credential");
  const auto signature = Parameter(parameters, "Signature");
  const auto signed_headers = Parameter(parameters, "SignedHeaders");
  std::string missing;
  const auto require = [&missing](bool there, std::string_view name) {
    if (!there) missing.append("Authorization header requires '").append(name).append("' parameter. ");
  };
  require(credential.has_value(), "Credential");
  require(signature.has_value(), "Signature");
  require(signed_headers.has_value(), "SignedHeaders");
  const std::string_view amz_date = FindHeader(request.headers, "x-amz-date");
  const std::string_view http_date = FindHeader(request.headers, "date");
  if (amz_date.empty() && http_date.empty()) {
    missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
  }
  if (!missing.empty()) return Incomplete(missing.append("Authorization=").append(authorization));
  out.signature.assign(*signature);
  out.signed_headers = Split(*signed_headers, ';');
  out.session_token.assign(FindHeader(request.headers, "x-amz-security-token"));
  if (auto fault = ReadScope(*credential, out)) return fault;
  if (!amz_date.empty()) return ReadTime(amz_date, out);
  return ReadTime(FromHttpDate(http_date).value_or(std::string(http_date)), out);
}

std::optional<Fault> ReadQueryClaim(const std::vector<QueryParameter>& query, Claim& out) {
  std::string missing;
  const auto take = [&](std::string_view name) {
    const QueryParameter* found = FindParameter(query, name);
    if (found != nullptr && !found->value.empty()) return found->value;
    missing.append("AWS query-string parameters must include '").append(name).append("'. ");
    return std::string();
  };
  const std::string algorithm = take("X-Amz-Algorithm");
  const std::string credential = take("X-Amz-Credential");
  out.signature = take("X-Amz-Signature");
  out.signed_headers = Split(take("X-Amz-SignedHeaders"), ';');
  const std::string date = take("X-Amz-Date");
  if (!missing.empty()) return Incomplete(missing + "Re-examine the query-string parameters.");
  if (algorithm != kAlgorithm) return Incomplete("Unsupported AWS 'algorithm': '" + algorithm + "'.");
  out.presigned = true;
  std::uint32_t seconds = 3600;  // where it is left out
  if (const QueryParameter* expires = FindParameter(query, "X-Amz-Expires")) {
    const std::string& text = expires->value;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
      return Incomplete("X-Amz-Expires should be a number of seconds, got '" + text + "'.");
    }
  }
  out.expires = std::chrono::seconds(seconds);
  if (const QueryParameter* token = FindParameter(query, "X-Amz-Security-Token"))
    out.session_token = token->value;
  if (auto fault = ReadScope(credential, out)) return fault;
  return ReadTime(date, out);
}

std::string Scope(std::string_view date, std::string_view region, std::string_view service) {
  std::string scope(date);
  return scope.append("/").append(region).append("/").append(service).append("/").append(kTerminator);
}

Digest SigningKey(std::string_view secret, std::string_view date, std::string_view region,
                  std::string_view service) {
  const Digest by_date = HmacSha256("AWS4" + std::string(secret), date);
  const Digest by_region = HmacSha256(by_date.view(), region);
  const Digest by_service = HmacSha256(by_region.view(), service);
  return HmacSha256(by_service.view(), kTerminator);
}

std::string StringToSign(std::string_view time_text, std::string_view scope,
                         std::string_view canonical_request) {
  std::string text(kAlgorithm);
  text.append("\n").append(time_text).append("\n").append(scope).append("\n");
  return text.append(Sha256(canonical_request).Hex());
}

// Takes the chunks of a body apart: "hex size;chunk-signature=…\r\n" data "\r\n" … up to one of size 0. Each
// signature covers the one before it, the first that of the request (Amazon S3 API, "Chunked upload").
std::optional<std::string> OpenChunks(BytesView body, const Claim& claim, const Digest& key) {
  constexpr std::string_view kMark = ";chunk-signature=";
  const std::string prefix = std::string(kAlgorithm) + "-PAYLOAD\n" + claim.time_text + "\n" +
                             Scope(claim.date, claim.region, claim.service) + "\n";
  const std::string empty_hash = Sha256("").Hex();
  std::string previous = claim.signature;
  std::string plain;
  for (;;) {
    std::uint64_t size = 0;
    const auto read =
        std::from_chars(body.data(), body.data() + std::min<std::size_t>(body.size(), 16), size, 16);
    if (read.ec != std::errc()) return std::nullopt;
    body.remove_prefix(static_cast<std::size_t>(read.ptr - body.data()));
    if (!body.starts_with(kMark)) return std::nullopt;
    body.remove_prefix(kMark.size());
    const std::string_view signature = body.substr(0, kSignatureSize);
    body.remove_prefix(signature.size());
    if (!body.starts_with("\r\n")) return std::nullopt;
    body.remove_prefix(2);
    if (body.size() < size) return std::nullopt;
    const BytesView data = body.substr(0, size);
    body.remove_prefix(data.size());
    const std::string text = prefix + previous + "\n" + empty_hash + "\n" + Sha256(data).Hex();
    const std::string wanted = HmacSha256(key.view(), text).Hex();
    if (!EqualInConstantTime(wanted, signature)) return std::nullopt;
    previous = wanted;
    if (body.starts_with("\r\n")) {
      body.remove_prefix(2);
    } else if (size > 0 || !body.empty()) {
      return std::nullopt;
    }
    if (size == 0) return body.empty() ? std::optional(std::move(plain)) : std::nullopt;
    plain.append(data);
  }
}

}  // namespace

std::optional<Fault> ReadClaim(const RequestView& request, Claim& out) {
  const std::string_view authorization = FindHeader(request.headers, "authorization");
  const std::vector<QueryParameter> query = ParseRawQuery(QueryOf(request.target));
  const bool by_query = FindParameter(query, "X-Amz-Algorithm") != nullptr;
  if (!authorization.empty() && by_query) {
    return Invalid(
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.");
  }
  std::optional<Fault> fault;
  if (by_query) {
    fault = ReadQueryClaim(query, out);
  } else if (authorization.starts_with("AWS4-")) {
    fault = ReadHeaderClaim(authorization, request, out);
  } else {
    return Fault{FaultName::kMissingAuthenticationTokenException, "Missing Authentication Token"};
  }
  if (fault) return fault;
  if (out.signed_headers.size() > kMaxSignedHeaders) {
    return Incomplete("More than 64 'SignedHeaders' in the AWS Authorization.");
  }
  return std::nullopt;
}

Verifier::Verifier(VerifierConfig config) : config_(std::move(config)) {}

const AccessKey* Verifier::FindKey(std::string_view id) const {
  const auto key = std::ranges::find(config_.keys, id, &AccessKey::id);
  return key == config_.keys.end() ? nullptr : &*key;
}

// Scope, time and what must be signed.
std::optional<Fault> Verifier::CheckClaim(const RequestView& request, const Claim& claim,
                                          Timestamp now) const {
  if (claim.date != std::string_view(claim.time_text).substr(0, 8)) {
    return Invalid(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
        claim.date + "' != '" + claim.time_text.substr(0, 8) + "', from '" + claim.time_text + "'.");
  }
  if (std::ranges::find(config_.services, claim.service) == config_.services.end()) {
    return Invalid("Credential should be scoped to correct service: '" + config_.services.front() + "'.");
  }
  const auto minutes =
      std::to_string(std::chrono::duration_cast<std::chrono::minutes>(config_.max_skew).count()) + " min.)";
  const auto skew = std::chrono::duration_cast<std::chrono::milliseconds>(config_.max_skew);
  if (claim.time > now + skew) {
    return Invalid("Signature not yet current: " + claim.time_text + " is still later than " +
                   BasicFormat(now + skew) + " (" + BasicFormat(now) + " + " + minutes);
  }
  if (claim.presigned) {
    if (claim.expires <= Duration::zero() || claim.expires > config_.max_presigned_life) {
      return Incomplete("X-Amz-Expires must be from 1 second to one week.");
    }
    const Timestamp end = claim.time + std::chrono::duration_cast<std::chrono::milliseconds>(claim.expires);
    if (end < now) {
      return Invalid("Signature expired: " + BasicFormat(end) + " is now earlier than " + BasicFormat(now) +
                     ".");
    }
  } else if (claim.time < now - skew) {
    return Invalid("Signature expired: " + claim.time_text + " is now earlier than " +
                   BasicFormat(now - skew) + " (" + BasicFormat(now) + " - " + minutes);
  }
  const auto is_signed = [&claim](std::string_view name) {
    return std::ranges::any_of(
        claim.signed_headers, [name](const std::string& header) { return EqualsIgnoringCase(header, name); });
  };
  if (!is_signed("host") && !is_signed(":authority")) {
    return Incomplete("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  // Else somebody could turn a signed request into another operation.
  if (!FindHeader(request.headers, "x-amz-target").empty() && !is_signed("x-amz-target")) {
    return Incomplete("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.");
  }
  return std::nullopt;
}

std::optional<Fault> Verifier::Verify(const RequestView& request, Timestamp now, Verified& out) const {
  Claim claim;
  if (auto fault = ReadClaim(request, claim)) return fault;
  if (auto fault = CheckClaim(request, claim, now)) return fault;
  const AccessKey* key = FindKey(claim.access_key);
  if (key == nullptr || !claim.session_token.empty()) {
    return Fault{FaultName::kUnrecognizedClientException,
                 "The security token included in the request is invalid."};
  }
  const std::string_view content_hash = FindHeader(request.headers, "x-amz-content-sha256");
  const bool chunked = content_hash == kSignedChunks;
  const bool is_unsigned = content_hash == kUnsignedPayload;
  if (is_unsigned && !config_.allow_unsigned_payload) {
    return Invalid("x-amz-content-sha256 UNSIGNED-PAYLOAD is not taken here: the body must be signed.");
  }
  if (content_hash.starts_with("STREAMING-") && !chunked) {
    return Invalid("x-amz-content-sha256 " + std::string(content_hash) + " is not supported.");
  }
  const std::string payload_hash =
      chunked || is_unsigned ? std::string(content_hash) : Sha256(request.body).Hex();
  const Digest signing_key = SigningKey(key->secret, claim.date, claim.region, claim.service);
  const auto fits = [&](std::string_view payload) {
    const std::string canonical = CanonicalRequest(request, claim.signed_headers, payload);
    const std::string text =
        StringToSign(claim.time_text, Scope(claim.date, claim.region, claim.service), canonical);
    return EqualInConstantTime(HmacSha256(signing_key.view(), text).Hex(), claim.signature);
  };
  // A presigned request without the header may stand for any body, if that is allowed at all.
  const bool any_body = claim.presigned && content_hash.empty() && config_.allow_unsigned_payload;
  if (!fits(payload_hash) && !(any_body && fits(kUnsignedPayload))) return Mismatch();
  if (chunked) {
    out.body = OpenChunks(request.body, claim, signing_key);
    if (!out.body) return Mismatch();
  } else if (!is_unsigned && !content_hash.empty() && !EqualsIgnoringCase(content_hash, payload_hash)) {
    return Invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  out.key = key;
  return std::nullopt;
}

std::vector<HeaderField> SignatureHeaders(const Signer& signer, const RequestView& request, Timestamp now) {
  const std::string time_text = BasicFormat(now);
  const std::string date = time_text.substr(0, 8);
  std::vector<HeaderField> headers(request.headers.begin(), request.headers.end());
  headers.emplace_back("X-Amz-Date", time_text);
  std::vector<std::string> names;
  names.reserve(headers.size());
  for (const HeaderField& header : headers) names.push_back(LowerCase(header.first));
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  RequestView with_date = request;
  with_date.headers = headers;
  const std::string canonical = CanonicalRequest(with_date, names, Sha256(request.body).Hex());
  const std::string scope = Scope(date, signer.region, signer.service);
  const Digest key = SigningKey(signer.secret, date, signer.region, signer.service);
  std::string authorization(kAlgorithm);
  authorization.append(" Credential=").append(signer.access_key).append("/").append(scope);
  authorization.append(", SignedHeaders=");
  for (std::size_t i = 0; i < names.size(); ++i) authorization.append(i > 0 ? ";" : "").append(names[i]);
  authorization.append(", Signature=");
  authorization.append(HmacSha256(key.view(), StringToSign(time_text, scope, canonical)).Hex());
  return {{"X-Amz-Date", time_text}, {"Authorization", authorization}};
}

}  // namespace honryu::auth
