#include "honryu/config/print.h"

#include "node.h"

#include <algorithm>
#include <cctype>

namespace honryu::config {
namespace {

using internal::Node;
using internal::Value;

constexpr std::size_t kWidth = 100;

// Plain where no YAML reader can take it for anything but a text; else in double quotes.
std::string YamlText(std::string_view text) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '/' || c == '-';
  };
  static constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  const bool is_word = std::find(std::begin(kWords), std::end(kWords), lower) != std::end(kWords);
  const bool begins_well = !text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) != 0 ||
                                             text[0] == '/' || text[0] == '_');
  if (begins_well && !is_word && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else if (c == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      out += "$$";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string Shown(const Value& value, bool secret) {
  if (value.optional && !value.is_set()) return "null";
  const std::string text = value.get();
  if (secret && !text.empty()) return "\"***\"";
  return value.text || !value.allowed.empty() ? YamlText(text) : text;
}

std::string ShownTexts(const Node& node) {
  std::string out = "[";
  for (const std::string& text : *node.texts)
    out += (out.size() > 1 ? ", " : "") + (node.doc.secret ? std::string("\"***\"") : YamlText(text));
  return out + "]";
}

std::string Capitalised(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

// "A whole number from 1 to 65535; takes effect without a restart."
std::string Remarks(const Node& node) {
  std::string text;
  if (node.kind == Node::Kind::kTexts) {
    text = "A list, each " + node.value.expected;
  } else if (node.kind == Node::Kind::kList) {
    text = "A list";
  } else {
    text = Capitalised(node.value.expected);
  }
  if (node.value.optional) text += ", or null";
  if (node.doc.required) text += "; required";
  if (!node.doc.example.empty()) text += "; for example " + std::string(node.doc.example);
  if (node.doc.secret) {
    text += "; secret";
    if (node.kind == Node::Kind::kValue && node.value.text) text += ", may be given as " + node.key + "_file";
  }
  if (node.doc.reloadable) text += "; takes effect without a restart";
  if (node.doc.audience == Audience::kTunable) text += "; for tuning";
  if (node.doc.audience == Audience::kDeprecated) text += "; deprecated";
  return text + ".";
}

// Appends `text` as comment lines broken at blanks.
void Comment(std::string_view text, const std::string& indent, std::string* out) {
  while (!text.empty()) {
    const std::size_t room = kWidth - std::min(kWidth / 2, indent.size() + 2);
    std::size_t end = text.size();
    if (end > room) {
      end = text.rfind(' ', room);
      if (end == std::string_view::npos || end == 0) end = std::min(text.find(' '), text.size());
    }
    *out += indent + "# " + std::string(text.substr(0, end)) + "\n";
    text = end < text.size() ? text.substr(end + 1) : std::string_view();
  }
}

class YamlPrinter {
 public:
  explicit YamlPrinter(std::string* out) : out_(out) {}

  void Print(const Section& section, const std::string& indent) {
    for (const auto& node : section.nodes()) {
      if (indent.empty() && !out_->empty()) *out_ += "\n";
      Comment(node->doc.doc, indent, out_);
      if (node->kind != Node::Kind::kSection) Comment(Remarks(*node), indent, out_);
      PrintNode(*node, indent);
    }
  }

 private:
  void PrintNode(const Node& node, const std::string& indent) {
    switch (node.kind) {
      case Node::Kind::kValue:
        *out_ += indent + node.key + ": " + Shown(node.value, node.doc.secret) + "\n";
        return;
      case Node::Kind::kTexts:
        *out_ += indent + node.key + ": " + ShownTexts(node) + "\n";
        return;
      case Node::Kind::kSection:
        *out_ += indent + node.key + ":\n";
        return Print(*node.section, indent + "  ");
      case Node::Kind::kList:
        return PrintList(node, indent);
    }
  }

  void PrintList(const Node& node, const std::string& indent) {
    if (node.list.size() == 0) {
      Section sample;
      node.list.describe_sample(sample);
      Comment("An item has:", indent, out_);
      const std::string item = Item(sample, "");
      for (std::size_t at = 0; at < item.size();) {
        const std::size_t end = item.find('\n', at);
        *out_ += indent + "#   " + item.substr(at, end - at) + "\n";
        at = end + 1;
      }
      *out_ += indent + node.key + ": []\n";
      return;
    }
    *out_ += indent + node.key + ":\n";
    for (std::size_t i = 0; i < node.list.size(); ++i) {
      Section item;
      node.list.describe_at(i, item);
      *out_ += Item(item, indent + "  ");
    }
  }

  // The lines of one item; "- " stands before its first key.
  static std::string Item(const Section& section, const std::string& indent) {
    std::string text;
    YamlPrinter(&text).Print(section, indent + "  ");
    std::size_t at = 0;
    while (at < text.size() && text[text.find_first_not_of(' ', at)] == '#') at = text.find('\n', at) + 1;
    if (at < text.size()) text.replace(at + indent.size(), 2, "- ");
    return text;
  }

  std::string* out_;
};

// '|' would end a table cell.
std::string Cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

void MarkdownTable(const Section& section, const std::string& path, std::string* out) {
  std::string rows;
  for (const auto& node : section.nodes()) {
    if (node->kind == Node::Kind::kSection) continue;
    std::string shown = "[]";
    if (node->kind == Node::Kind::kValue) shown = Shown(node->value, node->doc.secret);
    if (node->kind == Node::Kind::kTexts) shown = ShownTexts(*node);
    if (node->kind == Node::Kind::kList && node->list.size() != 0)
      shown = std::to_string(node->list.size()) + " items";
    rows += "| `" + node->key + "` | `" + Cell(shown) + "` | " + Cell(node->doc.doc) + " " +
            Cell(Remarks(*node)) + " |\n";
  }
  if (!rows.empty()) *out += "\n| key | default | meaning |\n|---|---|---|\n" + rows;
  for (const auto& node : section.nodes()) {
    const std::string full = path.empty() ? node->key : path + "." + node->key;
    if (node->kind == Node::Kind::kSection) {
      *out += "\n## " + full + "\n\n" + std::string(node->doc.doc) + "\n";
      MarkdownTable(*node->section, full, out);
    } else if (node->kind == Node::Kind::kList) {
      *out += "\n## " + full + "[]\n\nAn item of `" + full + "`. " + std::string(node->doc.doc) + "\n";
      Section sample;
      node->list.describe_sample(sample);
      MarkdownTable(sample, full + "[]", out);
    }
  }
}

}  // namespace

std::string PrintYaml(const DescribeFunction& describe) {
  Section root;
  describe(root);
  std::string out;
  YamlPrinter(&out).Print(root, "");
  return out;
}

std::string PrintMarkdown(const DescribeFunction& describe, std::string_view title) {
  Section root;
  describe(root);
  std::string out =
      "# " + std::string(title) +
      "\n\nMade from the program; do not edit. Environment variables override the file: `HONRYU__`, then "
      "the key in capitals with two underscores for each dot (`HONRYU__BROKER__PORT`); `--set "
      "broker.port=4567` overrides both. Texts in the file may hold `${NAME}` and `${NAME:-default}`.\n";
  MarkdownTable(root, "", &out);
  return out;
}

}  // namespace honryu::config
