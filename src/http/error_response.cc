#include "error_response.h"

#include "honryu/codec/json.h"

namespace honryu::http {

Response ErrorResponse(int status, std::string_view code, std::string_view message,
                       std::string_view request_id) {
  std::string json;
  codec::JsonWriter writer(json);
  writer.BeginObject();
  writer.Key("error");
  writer.BeginObject();
  writer.Key("code");
  writer.String(code);
  writer.Key("message");
  writer.String(message);
  if (!request_id.empty()) {
    writer.Key("request_id");
    writer.String(request_id);
  }
  writer.EndObject();
  writer.EndObject();
  return Response::JsonText(status, std::move(json));
}

}  // namespace honryu::http
