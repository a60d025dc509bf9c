#include "honryu/config/print.h"
#include "node.h"

namespace honryu::config {
namespace {

using internal::Node;
using internal::Value;

std::string Quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// ${NAME} may stand for any scalar, so numbers and booleans may also be texts.
std::string ValueSchema(const Value& value) {
  std::string types = value.json_type == "string" ? "\"string\"" : Quoted(value.json_type) + ",\"string\"";
  if (value.text && value.allowed.empty()) types += ",\"number\",\"boolean\"";
  if (value.optional) types += ",\"null\"";
  std::string out = "\"type\":[" + types + "]";
  if (!value.json_min.empty()) out += ",\"minimum\":" + value.json_min;
  if (!value.json_max.empty()) out += ",\"maximum\":" + value.json_max;
  if (!value.allowed.empty()) {
    out += ",\"examples\":[";
    for (std::size_t i = 0; i < value.allowed.size(); ++i)
      out += (i == 0 ? "" : ",") + Quoted(value.allowed[i]);
    out += "]";
  }
  return out;
}

std::string SectionSchema(const Section& section);

std::string NodeSchema(const Node& node) {
  std::string out = "{\"description\":" + Quoted(node.doc.doc) + ",";
  switch (node.kind) {
    case Node::Kind::kValue:
      out += ValueSchema(node.value);
      break;
    case Node::Kind::kTexts:
      out += "\"type\":\"array\",\"items\":{" + ValueSchema(node.value) + "}";
      break;
    case Node::Kind::kSection:
      out += SectionSchema(*node.section);
      break;
    case Node::Kind::kList: {
      Section sample;
      node.list.describe_sample(sample);
      out += "\"type\":\"array\",\"items\":{" + SectionSchema(sample) + "}";
      break;
    }
  }
  if (node.doc.audience == Audience::kDeprecated) out += ",\"deprecated\":true";
  return out + "}";
}

std::string SectionSchema(const Section& section) {
  std::string properties, required;
  for (const auto& node : section.nodes()) {
    const bool has_file = node->kind == Node::Kind::kValue && node->doc.secret && node->value.text;
    properties += (properties.empty() ? "" : ",") + Quoted(node->key) + ":" + NodeSchema(*node);
    if (has_file)
      properties += "," + Quoted(node->key + "_file") +
                    ":{\"type\":\"string\",\"description\":\"File that holds " + node->key + ".\"}";
    if (!node->doc.former_key.empty())
      properties += "," + Quoted(node->doc.former_key) + ":" + NodeSchema(*node);
    if (node->doc.required && !has_file && node->doc.former_key.empty())
      required += (required.empty() ? "" : ",") + Quoted(node->key);
  }
  std::string out =
      "\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{" + properties + "}";
  if (!required.empty()) out += ",\"required\":[" + required + "]";
  return out;
}

}  // namespace

std::string PrintJsonSchema(const DescribeFunction& describe, std::string_view title) {
  Section root;
  describe(root);
  return "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":" + Quoted(title) + "," +
         SectionSchema(root) + "}\n";
}

}  // namespace honryu::config
