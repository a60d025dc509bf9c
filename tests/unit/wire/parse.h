#pragma once

#include "honryu/codec/json.h"
#include "honryu/wire/kinesis.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

namespace honryu::wire {

inline codec::Json MustParse(std::string_view text) {
  Result<codec::Json> json = codec::Json::Parse(text);
  EXPECT_TRUE(json.ok()) << text;
  return json.ok() ? std::move(*json) : codec::Json();
}

/// "Name: message" of the fault, or "ok".
inline std::string Show(const std::optional<Fault>& fault) {
  if (!fault) return "ok";
  return std::string(TraitsOf(fault->name).name) + ": " + fault->message;
}

template <class Request, class... More>
std::string Judge(std::string_view body, Request& out, const More&... more) {
  return Show(ParseRequest(MustParse(body), out, more...));
}

/// A body with the slack that the fast parsers need.
class Padded {
 public:
  explicit Padded(std::string text) : text_(std::move(text)), size_(text_.size()) { text_.append(64, '\0'); }
  BytesView view() const { return BytesView(text_).substr(0, size_); }

 private:
  std::string text_;
  std::size_t size_;
};

}  // namespace honryu::wire
