#include "honryu/client/signing.h"

namespace honryu::client {

void SignRequest(const auth::Signer& signer, Timestamp now, http::ClientRequest& request) {
  // The client writes the Host header itself, like this.
  std::string host = request.endpoint.host;
  if (request.endpoint.port != 80) host.append(":").append(std::to_string(request.endpoint.port));
  std::vector<auth::HeaderField> headers = request.headers.fields();
  headers.emplace_back("Host", std::move(host));
  const auth::RequestView view{request.method, request.endpoint.path, headers, request.body};
  for (auth::HeaderField& field : auth::SignatureHeaders(signer, view, now)) {
    request.headers.Set(field.first, std::move(field.second));
  }
}

}  // namespace honryu::client
