#include "api/gateway/answer.h"

#include "honryu/codec/json.h"

#include <algorithm>

namespace honryu::api::gateway {

namespace {

/// A missing stream is made anew by the gateway; a cancelled write by whoever sends it again.
bool MayPass(const Error& error) {
  return error.retryable() || error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kNotFound ||
         error.code() == ErrorCode::kFailedPrecondition;
}

void SetRetryAfter(Duration retry_after, http::Response* response) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
  response->headers.Set("Retry-After", std::to_string(std::max<std::int64_t>(1, seconds)));
}

void WriteRejected(const std::vector<Rejected>& rejected, codec::JsonWriter* json) {
  json->Key("rejected");
  json->BeginArray();
  for (const Rejected& event : rejected) {
    json->BeginObject();
    json->Key("index");
    json->Uint(event.index);
    if (!event.event_id.empty()) {
      json->Key("event_id");
      json->String(event.event_id);
    }
    json->Key("field");
    json->String(event.reject.field);
    json->Key("code");
    json->String(RejectReasonName(event.reject.reason));
    json->Key("reason");
    json->String(event.reject.message);
    json->EndObject();
  }
  json->EndArray();
}

void WriteFailed(const std::vector<Outcome::Failed>& failed, codec::JsonWriter* json) {
  json->Key("failed");
  json->BeginArray();
  for (const Outcome::Failed& event : failed) {
    json->BeginObject();
    json->Key("index");
    json->Uint(event.index);
    json->Key("event_id");
    json->String(FormatUuid(event.event_id));
    json->Key("code");
    json->String(ErrorCodeName(event.error.code()));
    json->Key("reason");
    json->String(event.error.message());
    json->Key("retryable");
    json->Bool(MayPass(event.error));
    json->EndObject();
  }
  json->EndArray();
}

}  // namespace

int StatusOf(const Outcome& outcome) {
  int status = 200;
  for (const Outcome::Failed& event : outcome.failed) {
    int own = MayPass(event.error) ? 503 : 500;
    if (event.error.code() == ErrorCode::kOverloaded) own = 429;
    // 503 goes before 429, and a retryable status before 500: the rest of the request can still be saved.
    if (status == 200 || status == 500 || own == 503) status = own;
  }
  if (status != 200) return status;
  return outcome.accepted + outcome.duplicates == 0 && !outcome.rejected->empty() ? 400 : 200;
}

http::Response MakeAnswer(const Outcome& outcome, std::string_view request_id, Duration retry_after) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("request_id");
  json.String(request_id);
  json.Key("accepted");
  json.Uint(outcome.accepted);
  json.Key("duplicates");
  json.Uint(outcome.duplicates);
  WriteRejected(*outcome.rejected, &json);
  WriteFailed(outcome.failed, &json);
  if (outcome.dead_letters_lost > 0) {
    json.Key("dead_letters_lost");
    json.Uint(outcome.dead_letters_lost);
  }
  json.EndObject();
  const int status = StatusOf(outcome);
  http::Response response = http::Response::JsonText(status, std::move(text));
  if (status == 429 || status == 503) SetRetryAfter(retry_after, &response);
  return response;
}

http::Response MakeError(int status, std::string_view error, std::string_view message,
                         std::string_view request_id, Duration retry_after) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("error");
  json.String(error);
  json.Key("message");
  json.String(message);
  json.Key("request_id");
  json.String(request_id);
  json.EndObject();
  http::Response response = http::Response::JsonText(status, std::move(text));
  if (retry_after > Duration::zero()) SetRetryAfter(retry_after, &response);
  return response;
}

}  // namespace honryu::api::gateway
