// The SigV4 verifier on requests taken from the input: lines of method, target and headers up to an empty
// one, then the body. Checked beside "no crash": no signature made up by the fuzzer is taken, every refusal
// can be told, and the same request signed by us is taken unless its own headers are in the way.
#include "honryu/auth/sigv4.h"
#include "honryu/base/check.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace {

using namespace honryu;
using namespace honryu::auth;

struct Parsed {
  std::string method, target;
  std::vector<HeaderField> headers;
  std::string body;
  RequestView view() const { return RequestView{method, target, headers, body}; }
};

std::string_view TakeLine(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

Parsed Read(std::string_view input) {
  Parsed request;
  request.method = TakeLine(input);
  request.target = TakeLine(input);
  while (!input.empty()) {
    const std::string_view line = TakeLine(input);
    if (line.empty()) break;
    const std::size_t colon = line.find(':', 1);
    request.headers.emplace_back(line.substr(0, colon),
                                 colon == std::string_view::npos ? "" : line.substr(colon + 1));
  }
  request.body = input;
  return request;
}

bool IsPlain(const HeaderField& header) {
  std::string name = header.first;
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto token = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && std::ranges::all_of(name, token) && name != "authorization" &&
         name != "x-amz-date" && name != "x-amz-security-token" && name != "x-amz-content-sha256";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Timestamp now = TimestampFromMs(1440938160000);
  static const Verifier verifier([] {
    VerifierConfig config;
    config.keys = {AccessKey{.id = "AKIDEXAMPLE", .secret = "a secret that no input has"}};
    config.services = {"service", "kinesis"};
    config.allow_unsigned_payload = true;
    return config;
  }());
  Parsed request = Read(std::string_view(reinterpret_cast<const char*>(data), size));
  Verified verified;
  const auto fault = verifier.Verify(request.view(), now, verified);
  HONRYU_CHECK(fault.has_value(), "a made-up signature was taken");
  HONRYU_CHECK(!wire::FaultBody(*fault).empty(), "a fault without a body");

  std::erase_if(request.headers, [](const HeaderField& header) { return !IsPlain(header); });
  request.headers.emplace_back("Host", "h");
  if (request.target.find("X-Amz-Algorithm") != std::string::npos ||
      request.target.find('%') != std::string::npos)
    return 0;
  if (request.headers.size() > 60) return 0;
  const Signer signer{.access_key = "AKIDEXAMPLE", .secret = "a secret that no input has"};
  for (HeaderField& field : SignatureHeaders(signer, request.view(), now))
    request.headers.push_back(std::move(field));
  const auto own = verifier.Verify(request.view(), now, verified);
  HONRYU_CHECK(!own.has_value(), "our own signature was refused");
  return 0;
}
