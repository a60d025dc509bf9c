// Json::Parse and JsonWriter: what is parsed is dumped in a form that parses to the same, and any bytes
// become a valid JSON string.
#include "honryu/base/check.h"
#include "honryu/codec/json.h"

#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using honryu::codec::Json;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto parsed = Json::Parse(input);
  if (parsed.ok()) {
    const std::string dumped = parsed->Dump();
    const auto again = Json::Parse(dumped);
    HONRYU_CHECK(again.ok(), "a dumped value does not parse");
    HONRYU_CHECK(again->Dump() == dumped, "a dumped value parses to another");
  }
  std::string quoted;
  honryu::codec::AppendJsonString(input, quoted);
  const auto text = Json::Parse(quoted);
  HONRYU_CHECK(text.ok() && text->is_string(), "a written string does not parse");
  std::string requoted;
  honryu::codec::AppendJsonString(text->StringOr(""), requoted);
  HONRYU_CHECK(requoted == quoted, "a written string reads back as another");
  return 0;
}
