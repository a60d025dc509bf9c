#include "honryu/search/api_error.h"

#include "honryu/codec/json.h"

#include <array>
#include <utility>

namespace honryu::search {
namespace {

constexpr std::string_view kSuffix = "_exception: ";

int StatusOf(std::string_view type, ErrorCode code) {
  constexpr std::array<std::pair<std::string_view, int>, 6> kByType = {
      {{"index_not_found_exception", 404},
       {"search_context_missing_exception", 404},
       {"version_conflict_engine_exception", 409},
       {"circuit_breaking_exception", 429},
       {"rejected_execution_exception", 429},
       {"task_cancelled_exception", 400}}};
  for (const auto& [name, status] : kByType)
    if (type == name) return status;
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooLarge:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kAlreadyExists:
      return 400;
    case ErrorCode::kPermissionDenied:
      return 403;
    case ErrorCode::kNotFound:
    case ErrorCode::kExpired:
      return 404;
    case ErrorCode::kConflict:
      return 409;
    case ErrorCode::kOverloaded:
      return 429;
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
      return 503;
    default:
      return 500;
  }
}

std::string_view TypeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfRange:
      return "illegal_argument_exception";
    case ErrorCode::kTooLarge:
      return "too_many_buckets_exception";
    case ErrorCode::kNotFound:
      return "resource_not_found_exception";
    case ErrorCode::kAlreadyExists:
      return "resource_already_exists_exception";
    case ErrorCode::kConflict:
      return "version_conflict_engine_exception";
    case ErrorCode::kOverloaded:
      return "rejected_execution_exception";
    case ErrorCode::kCancelled:
      return "task_cancelled_exception";
    default:
      return "exception";
  }
}

}  // namespace

ApiError ToApiError(const Error& error) {
  const std::string_view message = error.message();
  const auto end = message.find(kSuffix);
  ApiError api;
  if (end != std::string_view::npos && message.find(' ') > end) {
    api.type = message.substr(0, end + kSuffix.size() - 2);
    api.reason = message.substr(end + kSuffix.size());
  } else {
    api.type = TypeOf(error.code());
    api.reason = message;
  }
  api.status = StatusOf(api.type, error.code());
  return api;
}

std::string ErrorBody(const ApiError& error, std::string_view index) {
  std::string body;
  const bool no_index = error.type == "index_not_found_exception";
  if (no_index) {
    // The one that is missing, of all that the request named.
    constexpr std::string_view kBefore = "no such index [";
    const auto begin = error.reason.find(kBefore);
    const auto end = begin == std::string::npos ? begin : error.reason.find(']', begin);
    if (end != std::string::npos)
      index = std::string_view(error.reason).substr(begin + kBefore.size(), end - begin - kBefore.size());
  }
  codec::JsonWriter out(body);
  const auto cause = [&] {
    out.Key("type");
    out.String(error.type);
    out.Key("reason");
    out.String(error.reason);
    if (index.empty()) return;
    if (no_index) {
      out.Key("resource.type");
      out.String("index_or_alias");
      out.Key("resource.id");
      out.String(index);
      out.Key("index_uuid");
      out.String("_na_");
    }
    out.Key("index");
    out.String(index);
  };
  out.BeginObject();
  out.Key("error");
  out.BeginObject();
  out.Key("root_cause");
  out.BeginArray();
  out.BeginObject();
  cause();
  out.EndObject();
  out.EndArray();
  cause();
  out.EndObject();
  out.Key("status");
  out.Int(error.status);
  out.EndObject();
  return body;
}

Error ParsingError(std::string_view reason) {
  return Error(ErrorCode::kInvalidArgument, "parsing_exception: " + std::string(reason));
}
Error IllegalArgument(std::string_view reason) {
  return Error(ErrorCode::kInvalidArgument, "illegal_argument_exception: " + std::string(reason));
}

}  // namespace honryu::search
