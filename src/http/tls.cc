#include "tls.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <string_view>

namespace honryu::http {

namespace {

constexpr std::string_view kProtocols = "\x02h2\x08http/1.1";

// The first of ours that the client has too; without one the handshake goes on, and HTTP/1.1 is spoken.
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                   unsigned int offered_size, void*) {
  const auto* ours = reinterpret_cast<const unsigned char*>(kProtocols.data());
  unsigned char* chosen = nullptr;
  const int outcome = SSL_select_next_proto(
      &chosen, out_size, ours, static_cast<unsigned int>(kProtocols.size()), offered, offered_size);
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::shared_ptr<boost::asio::ssl::context>> MakeTlsContext(const TlsConfig& config) {
  auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  boost::system::error_code error;
  context->use_certificate_chain_file(config.certificate, error);
  if (error)
    return Error(ErrorCode::kInvalidArgument,
                 "the certificate " + config.certificate + " cannot be used: " + error.message());
  context->use_private_key_file(config.key, boost::asio::ssl::context::pem, error);
  if (error)
    return Error(ErrorCode::kInvalidArgument,
                 "the key " + config.key + " cannot be used: " + error.message());
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "the key " + config.key + " does not belong to the certificate " + config.certificate);
  }
  SSL_CTX_set_alpn_select_cb(context->native_handle(), SelectProtocol, nullptr);
  return context;
}

Result<std::shared_ptr<boost::asio::ssl::context>> MakeTlsClientContext(const std::string& ca_file) {
  auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  boost::system::error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (error) return Error(ErrorCode::kInvalidArgument, "cannot trust " + ca_file + ": " + error.message());
  context->set_verify_mode(boost::asio::ssl::verify_peer, error);
  constexpr std::string_view kHttp1 = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context->native_handle(), reinterpret_cast<const unsigned char*>(kHttp1.data()),
                          static_cast<unsigned int>(kHttp1.size()));
  return context;
}

bool NegotiatedHttp2(const SSL* connection) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(connection, &name, &size);
  return size == 2 && name[0] == 'h' && name[1] == '2';
}

}  // namespace honryu::http
