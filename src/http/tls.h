#pragma once

#include "honryu/http/server.h"

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace honryu::http {

/// A server context: TLS 1.2 and 1.3, the certificate chain and key of `config`, ALPN h2 and http/1.1 (h2
/// first). kInvalidArgument with the file that is at fault.
Result<std::shared_ptr<boost::asio::ssl::context>> MakeTlsContext(const TlsConfig& config);

/// A client context that trusts `ca_file` (PEM), or what the system trusts when it is empty, and HTTP/1.1 by
/// ALPN. kInvalidArgument with the file that is at fault.
Result<std::shared_ptr<boost::asio::ssl::context>> MakeTlsClientContext(const std::string& ca_file);

/// True when ALPN agreed on HTTP/2.
bool NegotiatedHttp2(const SSL* connection);

}  // namespace honryu::http
