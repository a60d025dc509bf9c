#include "honryu/auth/sigv4.h"

#include <gtest/gtest.h>

namespace honryu::auth {
namespace {

constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const Timestamp kSigned = ParseTimestamp("2015-08-30T12:36:00Z").value();
const std::string kDay = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";

struct Signed {
  std::string method = "GET";
  std::string target = "/";
  std::vector<HeaderField> headers;
  std::string body;
  RequestView view() const { return RequestView{method, target, headers, body}; }
};

VerifierConfig SuiteConfig() {
  VerifierConfig config;
  config.keys = {AccessKey{.id = "AKIDEXAMPLE", .secret = std::string(kSecret)}};
  config.services = {"service"};
  return config;
}

std::string Judge(const Signed& request, const VerifierConfig& config = SuiteConfig(),
                  Timestamp now = kSigned) {
  const Verifier verifier(config);
  Verified verified;
  const std::optional<wire::Fault> fault = verifier.Verify(request.view(), now, verified);
  if (fault) return std::string(wire::TraitsOf(fault->name).name) + ": " + fault->message;
  EXPECT_NE(verified.key, nullptr);
  return "ok";
}

Signed Suite(std::string method, std::string target, std::vector<HeaderField> headers,
             std::string_view signed_headers, std::string_view signature, std::string body = "") {
  Signed request{std::move(method), std::move(target), std::move(headers), std::move(body)};
  request.headers.emplace_back("Host", "example.amazonaws.com");
  request.headers.emplace_back("X-Amz-Date", "20150830T123600Z");
  request.headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 " + kDay +
                                                    ", SignedHeaders=" + std::string(signed_headers) +
                                                    ", Signature=" + std::string(signature));
  return request;
}

const std::string kVanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
Signed Vanilla() { return Suite("GET", "/", {}, "host;x-amz-date", kVanilla); }

constexpr const char* kMismatch =
    "InvalidSignatureException: The request signature we calculated does not match the signature you "
    "provided. Check "
    "your AWS Secret Access Key and signing method. Consult the service documentation for details.";

// Signatures of the AWS Signature Version 4 test suite, as published with aws-c-auth.
TEST(SigV4, TheTestSuiteOfAws) {
  const std::string plain = "host;x-amz-date";
  const std::string letters = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  EXPECT_EQ(Judge(Vanilla()), "ok");
  for (const char* path : {"/./", "/example1/example2/../..", "/example/..", "//"})
    EXPECT_EQ(Judge(Suite("GET", path, {}, plain, kVanilla)), "ok") << path;
  const std::pair<const char*, const char*> targets[] = {
      {"//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
      {"/\xe1\x88\xb4", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
      {"/example space/", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
      {"/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
       "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
      {"/?\xe1\x88\xb4=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
      {"/?Param1=value1", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
      {"/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"}};
  for (const auto& [target, signature] : targets)
    EXPECT_EQ(Judge(Suite("GET", target, {}, plain, signature)), "ok") << target;
  EXPECT_EQ(Judge(Suite("GET", "/?" + letters + "=" + letters, {}, plain,
                        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197")),
            "ok");
  EXPECT_EQ(Judge(Suite("POST", "/", {}, plain,
                        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")),
            "ok");
}

TEST(SigV4, HeadersOfTheTestSuite) {
  const std::string one = "host;my-header1;x-amz-date";
  EXPECT_EQ(
      Judge(Suite("GET", "/", {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
                  one, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea")),
      "ok");
  EXPECT_EQ(Judge(Suite("GET", "/",
                        {{"My-Header1", "value4"},
                         {"My-Header1", "value1"},
                         {"My-Header1", "value3"},
                         {"My-Header1", "value2"}},
                        one, "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01")),
            "ok");
  EXPECT_EQ(Judge(Suite("GET", "/", {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
                        "host;my-header1;my-header2;x-amz-date",
                        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736")),
            "ok");
  Signed form =
      Suite("POST", "/",
            {{"Content-Type", "application/x-www-form-urlencoded"},
             {"Content-Length", "13"},
             {"x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"}},
            "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b", "Param1=value1");
  EXPECT_EQ(Judge(form), "ok");
  form.body = "Param1=value2";
  EXPECT_EQ(Judge(form), kMismatch);
}

Signed Presigned(const std::string& path, const std::string& query, const std::string& signature) {
  Signed request;
  request.target =
      path + "?" + query +
      "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2F"
      "aws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600"
      "&X-Amz-Signature=" +
      signature;
  request.headers = {{"Host", "example.amazonaws.com"}};
  return request;
}

TEST(SigV4, PresignedRequestsOfTheTestSuite) {
  EXPECT_EQ(Judge(Presigned("/", "Param2=value2&Param1=value1&",
                            "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5")),
            "ok");
  EXPECT_EQ(Judge(Presigned("/\xe1\x88\xb4", "",
                            "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44")),
            "ok");
  EXPECT_EQ(Judge(Presigned("/", "", "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44")),
            kMismatch);
}

TEST(SigV4, PresignedRequestsExpire) {
  const Signed request =
      Presigned("/\xe1\x88\xb4", "", "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44");
  const auto at = [&](int seconds) {
    return Judge(request, SuiteConfig(), kSigned + std::chrono::seconds(seconds));
  };
  EXPECT_EQ(at(3600), "ok");
  EXPECT_EQ(
      at(3601),
      "InvalidSignatureException: Signature expired: 20150830T133600Z is now earlier than 20150830T133601Z.");
  EXPECT_EQ(at(-300), "ok");
  EXPECT_EQ(at(-301),
            "InvalidSignatureException: Signature not yet current: 20150830T123600Z is still later than "
            "20150830T123559Z (20150830T123059Z + 5 min.)");
  Signed longer = request;
  const std::size_t life = longer.target.find("Expires=3600");
  longer.target.replace(life, 12, "Expires=604801");
  EXPECT_EQ(Judge(longer), "IncompleteSignatureException: X-Amz-Expires must be from 1 second to one week.");
  longer.target.replace(life, 14, "Expires=x");
  EXPECT_EQ(Judge(longer),
            "IncompleteSignatureException: X-Amz-Expires should be a number of seconds, got 'x'.");
}

TEST(SigV4, TheClockMayBeFiveMinutesOff) {
  const auto at = [](int seconds) {
    return Judge(Vanilla(), SuiteConfig(), kSigned + std::chrono::seconds(seconds));
  };
  EXPECT_EQ(at(300), "ok");
  EXPECT_EQ(at(-300), "ok");
  EXPECT_EQ(
      at(301),
      "InvalidSignatureException: Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z "
      "(20150830T124101Z - 5 min.)");
  EXPECT_EQ(at(-301),
            "InvalidSignatureException: Signature not yet current: 20150830T123600Z is still later than "
            "20150830T123559Z (20150830T123059Z + 5 min.)");
}

TEST(SigV4, EveryChangeOfTheRequestIsFound) {
  Signed request = Vanilla();
  request.method = "POST";
  EXPECT_EQ(Judge(request), kMismatch);
  request = Vanilla();
  request.target = "/?a=b";
  EXPECT_EQ(Judge(request), kMismatch);
  request = Vanilla();
  request.body = "x";
  EXPECT_EQ(Judge(request), kMismatch);
  request = Vanilla();
  request.headers[0].second = "example.com";
  EXPECT_EQ(Judge(request), kMismatch);
  for (std::size_t i = 0; i < kVanilla.size(); ++i) {
    std::string signature = kVanilla;
    signature[i] = signature[i] == '0' ? '1' : '0';
    EXPECT_EQ(Judge(Suite("GET", "/", {}, "host;x-amz-date", signature)), kMismatch);
  }
  EXPECT_EQ(Judge(Suite("GET", "/", {}, "host;x-amz-date", kVanilla.substr(1))), kMismatch);
  EXPECT_EQ(Judge(Suite("GET", "/", {}, "host;x-amz-date", "")), kMismatch);
  VerifierConfig other = SuiteConfig();
  other.keys[0].secret = "another secret 123";
  EXPECT_EQ(Judge(Vanilla(), other), kMismatch);
}

TEST(SigV4, UnknownKeysAndTokens) {
  VerifierConfig other = SuiteConfig();
  other.keys[0].id = "AKIDOTHER";
  const char* unknown = "UnrecognizedClientException: The security token included in the request is invalid.";
  EXPECT_EQ(Judge(Vanilla(), other), unknown);
  Signed request = Vanilla();
  request.headers.emplace_back("X-Amz-Security-Token", "t");
  EXPECT_EQ(Judge(request), unknown);
}

TEST(SigV4, ScopeMustFit) {
  VerifierConfig kinesis = SuiteConfig();
  kinesis.services = {"kinesis"};
  EXPECT_EQ(Judge(Vanilla(), kinesis),
            "InvalidSignatureException: Credential should be scoped to correct service: 'kinesis'.");
  const auto with = [](std::string_view from, std::string_view to) {
    Signed request = Vanilla();
    std::string& text = request.headers.back().second;
    text.replace(text.find(from), from.size(), to);
    return Judge(request);
  };
  EXPECT_EQ(with("/20150830/", "/20150831/"),
            "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 "
            "version of date "
            "from HTTP: '20150831' != '20150830', from '20150830T123600Z'.");
  EXPECT_EQ(
      with("/aws4_request", "/aws3_request"),
      "InvalidSignatureException: Credential should be scoped with a valid terminator: 'aws4_request', not "
      "'aws3_request'.");
  EXPECT_EQ(with("us-east-1", "eu-west-1"), kMismatch);
  EXPECT_EQ(with("AKIDEXAMPLE/20150830/us-east-1", "AKIDEXAMPLE/x"),
            "IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. "
            "keyid/date/region/service/term, got 'AKIDEXAMPLE/x/service/aws4_request'");
}

TEST(SigV4, WhatMustBeSigned) {
  EXPECT_EQ(Judge(Suite("GET", "/", {}, "x-amz-date", kVanilla)),
            "IncompleteSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS "
            "Authorization.");
  EXPECT_EQ(
      Judge(Suite("GET", "/", {{"X-Amz-Target", "Kinesis_20131202.DeleteStream"}}, "host;x-amz-date",
                  kVanilla)),
      "IncompleteSignatureException: 'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.");
}

TEST(SigV4, MissingAndMalformedParts) {
  Signed none;
  none.headers = {{"Host", "h"}};
  EXPECT_EQ(Judge(none), "MissingAuthenticationTokenException: Missing Authentication Token");
  none.headers.emplace_back("Authorization", "Basic eDp5");
  EXPECT_EQ(Judge(none), "MissingAuthenticationTokenException: Missing Authentication Token");
  Signed both = Vanilla();
  both.target = "/?X-Amz-Algorithm=x";
  EXPECT_EQ(Judge(both),
            "InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and "
            "'Authorization' as "
            "HTTP header.");
  Signed bare;
  bare.headers = {{"Authorization", "AWS4-HMAC-SHA256 x"}};
  EXPECT_EQ(Judge(bare),
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. "
            "Authorization header "
            "requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
            "Authorization "
            "header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            "Authorization=AWS4-HMAC-SHA256 x");
  bare.headers[0].second = "AWS4-ECDSA-P256-SHA256 Credential=x";
  EXPECT_EQ(Judge(bare),
            "IncompleteSignatureException: Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.");
  Signed date = Vanilla();
  date.headers[1].second = "2015-08-30T12:36:00Z";
  EXPECT_EQ(Judge(date),
            "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got "
            "'2015-08-30T12:36:00Z'. See "
            "http://en.wikipedia.org/wiki/ISO_8601");
  Signed query;
  query.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256";
  EXPECT_EQ(
      Judge(query),
      "IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Credential'. AWS "
      "query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include "
      "'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the "
      "query-string "
      "parameters.");
}

// "Examples: Signature calculations" of the Amazon S3 API reference.
VerifierConfig S3Config() {
  VerifierConfig config;
  config.keys = {
      AccessKey{.id = "AKIAIOSFODNN7EXAMPLE", .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}};
  config.services = {"s3"};
  return config;
}
const Timestamp kS3Time = ParseTimestamp("2013-05-24T00:00:00Z").value();

Signed ChunkedPut() {
  Signed request;
  request.method = "PUT";
  request.target = "/examplebucket/chunkObject.txt";
  request.headers = {
      {"Host", "s3.amazonaws.com"},
      {"x-amz-date", "20130524T000000Z"},
      {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
      {"Authorization",
       "AWS4-HMAC-SHA256 "
       "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-"
       "encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-"
       "storage-class,"
       "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"},
      {"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
      {"Content-Encoding", "aws-chunked"},
      {"x-amz-decoded-content-length", "66560"},
      {"Content-Length", "66824"}};
  request.body =
      "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" +
      std::string(65536, 'a') +
      "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" +
      std::string(1024, 'a') +
      "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
  return request;
}

TEST(SigV4, SignedChunks) {
  const Verifier verifier(S3Config());
  const Signed request = ChunkedPut();
  Verified verified;
  const auto fault = verifier.Verify(request.view(), kS3Time, verified);
  ASSERT_FALSE(fault.has_value()) << fault->message;
  EXPECT_EQ(verified.body, std::string(66560, 'a'));
}

TEST(SigV4, ChunksThatWereChanged) {
  const Signed good = ChunkedPut();
  ASSERT_EQ(good.body.size(), 66824U);
  const auto judge = [](Signed request) { return Judge(request, S3Config(), kS3Time); };
  Signed bad = good;
  bad.body[100] = 'b';
  EXPECT_EQ(judge(bad), kMismatch);
  bad = good;
  bad.body[30] = bad.body[30] == '0' ? '1' : '0';
  EXPECT_EQ(judge(bad), kMismatch);
  for (const std::size_t size : {0UL, 3UL, 10UL, 50UL, 86UL, 70000UL, 66700UL, 66823UL}) {
    bad = good;
    bad.body.resize(std::min(size, good.body.size() - 1));
    EXPECT_EQ(judge(bad), kMismatch) << size;
  }
  bad = good;
  bad.body.append("x");
  EXPECT_EQ(judge(bad), kMismatch);
  bad.body = "ffffffffffffffff" + good.body.substr(5);
  EXPECT_EQ(judge(bad), kMismatch);
  bad = good;
  bad.headers[4].second = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
  EXPECT_EQ(
      judge(bad),
      "InvalidSignatureException: x-amz-content-sha256 STREAMING-UNSIGNED-PAYLOAD-TRAILER is not supported.");
}

TEST(SigV4, UnsignedPayloadsOnlyWhereAllowed) {
  VerifierConfig config = S3Config();
  Signed presigned;
  presigned.target =
      "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-"
      "1%2Fs3%2F"
      "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
  presigned.headers = {{"Host", "examplebucket.s3.amazonaws.com"}};
  EXPECT_EQ(Judge(presigned, config, kS3Time), kMismatch);
  config.allow_unsigned_payload = true;
  EXPECT_EQ(Judge(presigned, config, kS3Time), "ok");

  Signed header;
  header.headers = {{"Host", "h"}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}};
  header.body = "anything";
  const Signer signer{
      .access_key = "AKIAIOSFODNN7EXAMPLE", .secret = S3Config().keys[0].secret, .service = "s3"};
  for (HeaderField& field : SignatureHeaders(signer, header.view(), kS3Time))
    header.headers.push_back(std::move(field));
  // The signature covers the body's hash, not the words UNSIGNED-PAYLOAD.
  EXPECT_EQ(Judge(header, config, kS3Time), kMismatch);
  config.allow_unsigned_payload = false;
  EXPECT_EQ(
      Judge(header, config, kS3Time),
      "InvalidSignatureException: x-amz-content-sha256 UNSIGNED-PAYLOAD is not taken here: the body must be "
      "signed.");
}

TEST(SigV4, OurSignaturesAreRight) {
  Signed request;
  request.headers = {{"Host", "example.amazonaws.com"}};
  const Signer signer{.access_key = "AKIDEXAMPLE", .secret = std::string(kSecret), .service = "service"};
  const std::vector<HeaderField> added = SignatureHeaders(signer, request.view(), kSigned);
  ASSERT_EQ(added.size(), 2U);
  EXPECT_EQ(added[0], HeaderField("X-Amz-Date", "20150830T123600Z"));
  EXPECT_EQ(added[1],
            HeaderField("Authorization", "AWS4-HMAC-SHA256 " + kDay +
                                             ", SignedHeaders=host;x-amz-date, Signature=" + kVanilla));
  Signed full;
  full.method = "POST";
  full.headers = {{"Host", "127.0.0.1:4567"},
                  {"X-Amz-Target", "Kinesis_20131202.ListStreams"},
                  {"Content-Type", "application/x-amz-json-1.1"}};
  full.body = "{}";
  for (HeaderField& field : SignatureHeaders(signer, full.view(), kSigned))
    full.headers.push_back(std::move(field));
  EXPECT_EQ(Judge(full), "ok");
  full.headers[1].second = "Kinesis_20131202.DeleteStream";
  EXPECT_EQ(Judge(full), kMismatch);
}

// The signatures of these were made by another implementation (Python's hmac and hashlib).
TEST(SigV4, TheDateHeaderServesWithoutAnAmzDate) {
  Signed request =
      Suite("GET", "/", {}, "date;host", "1262aceaf1a79c7f0b69fda81cd744572fcbe2e4c23b647b4de183cd5a0f1075");
  request.headers[1] = {"Date", "Sun, 30 Aug 2015 12:36:00 GMT"};
  EXPECT_EQ(Judge(request), "ok");
  request.headers[1].second = "Sun, 30 Aus 2015 12:36:00 GMT";
  EXPECT_EQ(Judge(request).substr(0, 28), "IncompleteSignatureException");
}

TEST(SigV4, HttpTwosAuthorityIsTheHost) {
  EXPECT_EQ(Judge(Suite("GET", "/", {}, ":authority;x-amz-date",
                        "f4f76e64657334fd8315f9078b5e4f85a30d60d44c6341dcbe8018821ff7c80a")),
            "ok");
}

TEST(SigV4, UnsignedPayloadInAHeader) {
  VerifierConfig config = SuiteConfig();
  config.allow_unsigned_payload = true;
  Signed request = Suite("GET", "/", {{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}},
                         "host;x-amz-content-sha256;x-amz-date",
                         "9b02fb7b5d0076fa47a0adda28c71e74ba4588334bc0139b8cd6bb87f16afe16");
  request.body = "anything";
  EXPECT_EQ(Judge(request, config), "ok");
  // Nobody can take the body out of a signature that covers it.
  Signed vanilla = Vanilla();
  vanilla.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  EXPECT_EQ(Judge(vanilla, config), kMismatch);
}

}  // namespace
}  // namespace honryu::auth
