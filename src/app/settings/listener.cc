#include "app/settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;

}  // namespace

void DescribeListener(http::ServerConfig& server, Section& section) {
  section.Field("address", &server.address, {.doc = "IP address to listen on."});
  section.Field("port", &server.port, {.doc = "Port to listen on; 0 picks a free one."});
  section.Field("max_connections", &server.max_connections,
                {.doc = "Connections beyond it are turned away with 503."}, {1, 1'000'000});
  section.Field("max_body", &server.max_body, {.doc = "Largest request body, as sent."},
                {ByteSize::KiB(1), ByteSize::GiB(1)});
  section.Field("max_decompressed_body", &server.max_decompressed_body,
                {.doc = "Largest request body after Content-Encoding."},
                {ByteSize::KiB(1), ByteSize::GiB(4)});
  section.Field("max_header", &server.max_header, {.doc = "Largest request header."},
                {ByteSize::KiB(1), ByteSize::MiB(1)});
  section.Field("header_timeout", &server.header_timeout,
                {.doc = "From the first byte of a request to the end of its header."},
                {milliseconds(10), hours(1)});
  section.Field("body_timeout", &server.body_timeout,
                {.doc = "From the end of the header to the end of the body."}, {milliseconds(10), hours(1)});
  section.Field("idle_timeout", &server.idle_timeout, {.doc = "Closes connections that send no request."},
                {milliseconds(10), hours(24)});
  section.Field("request_timeout", &server.request_timeout, {.doc = "Deadline of a request's work."},
                {milliseconds(10), hours(1)});
  section.Field("write_timeout", &server.write_timeout,
                {.doc = "A client must take an answer, or each piece of a live one, within it."},
                {milliseconds(10), hours(1)});
  section.Sub("tls", "Encryption; the port then speaks nothing else. HTTP/2 is offered by ALPN.",
              [&](Section& tls) {
                tls.Field("certificate", &server.tls.certificate,
                          {.doc = "PEM file with the certificate and its chain; empty: no TLS.",
                           .example = "/etc/honryu/tls.crt"});
                tls.Field("key", &server.tls.key,
                          {.doc = "PEM file with its private key.", .example = "/etc/honryu/tls.key"});
              });
  section.Check([&server]() -> Result<void> {
    if (server.tls.certificate.empty() == server.tls.key.empty()) return Ok();
    return Error(ErrorCode::kInvalidArgument,
                 server.name + ".tls: certificate and key belong together, only one of them is set");
  });
}

}  // namespace honryu::app
