#include "honryu/wire/fault.h"

#include "honryu/codec/json.h"

namespace honryu::wire {

namespace {
constexpr FaultTraits kFaults[] = {
#define X(name, status, retryable, code) {#name, status, retryable, ErrorCode::code},
#include "honryu/wire/errors.def"
#undef X
};
}  // namespace

const FaultTraits& TraitsOf(FaultName name) { return kFaults[static_cast<std::size_t>(name)]; }

std::optional<FaultName> FindFault(std::string_view name) {
  if (const std::size_t hash = name.find('#'); hash != std::string_view::npos) name.remove_prefix(hash + 1);
  for (std::size_t i = 0; i < std::size(kFaults); ++i) {
    if (kFaults[i].name == name) return static_cast<FaultName>(i);
  }
  // The service model's name of the same fault.
  if (name == "InternalFailureException") return FaultName::kInternalFailure;
  return std::nullopt;
}

std::string FaultBody(const Fault& fault) {
  std::string body;
  codec::JsonWriter json(body);
  json.BeginObject();
  json.Key("__type");
  json.PlainString(TraitsOf(fault.name).name);
  if (!fault.message.empty() && fault.name != FaultName::kInternalFailure) {
    json.Key(fault.name == FaultName::kSerializationException ? "Message" : "message");
    json.String(fault.message);
  }
  json.EndObject();
  return body;
}

Error ErrorFromAnswer(int http_status, std::string_view body) {
  const Result<codec::Json> parsed = codec::Json::Parse(body);
  if (parsed.ok() && parsed->is_object()) {
    if (const codec::Json* type = parsed->Find("__type")) {
      const std::string_view name = type->StringOr("");
      const codec::Json* message = parsed->Find("message");
      if (message == nullptr) message = parsed->Find("Message");
      std::string text(name);
      if (message != nullptr) text.append(": ").append(message->StringOr(""));
      if (const auto fault = FindFault(name)) return Error(TraitsOf(*fault).code, std::move(text));
      return Error(http_status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInternal, std::move(text));
    }
  }
  const ErrorCode code = http_status == 429   ? ErrorCode::kOverloaded
                         : http_status == 413 ? ErrorCode::kTooLarge
                         : http_status >= 500 ? ErrorCode::kUnavailable
                                              : ErrorCode::kInternal;
  return Error(code, "unexpected answer with http status " + std::to_string(http_status));
}

}  // namespace honryu::wire
