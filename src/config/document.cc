#include "document.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

namespace honryu::config {
namespace {

// Aliases are copied; the limit stops files whose aliases double at each step.
constexpr std::size_t kMaxValues = 100000;
constexpr std::string_view kEnvironmentPrefix = "HONRYU__";

bool IsVariableName(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Opens ${NAME} and ${NAME:-default}; as in a shell, the default also stands in for an empty variable.
// Returns what is wrong, or nothing.
std::optional<std::string> Interpolate(const Environment& environment, std::string* text) {
  std::string out;
  std::string_view rest = *text;
  for (std::size_t at = rest.find("${"); at != std::string_view::npos; at = rest.find("${")) {
    if (at > 0 && rest[at - 1] == '$') {
      out += rest.substr(0, at - 1);
      out += "${";
      rest.remove_prefix(at + 2);
      continue;
    }
    out += rest.substr(0, at);
    rest.remove_prefix(at + 2);
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos) return "'${' without '}' (write '$${' for a plain '${')";
    const std::string_view inside = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const std::size_t colon = inside.find(":-");
    const std::string_view name = inside.substr(0, colon);
    if (!IsVariableName(name)) return "expected ${NAME} or ${NAME:-default}";
    const auto found = environment.find(std::string(name));
    const bool has_default = colon != std::string_view::npos;
    if (found == environment.end() && !has_default)
      return "environment variable " + std::string(name) + " is not set and has no default";
    if (found != environment.end() && !(found->second.empty() && has_default)) {
      out += found->second;
    } else {
      out += inside.substr(colon + 2);
    }
  }
  out += rest;
  *text = std::move(out);
  return std::nullopt;
}

class Converter {
 public:
  /// `environment`: null leaves ${NAME} alone. `fixed`: the origin of all values, null for lines of the file.
  Converter(std::string file_name, const Environment* environment, const Origin* fixed, Faults* faults)
      : file_name_(std::move(file_name)), environment_(environment), fixed_(fixed), faults_(faults) {}

  Document Convert(const YAML::Node& node, const std::string& path) {
    Document out;
    out.origin = OriginOf(node);
    if (++values_ > kMaxValues) {
      if (values_ == kMaxValues + 1) faults_->Add(out.origin, path, "more than 100000 values");
      out.kind = Document::Kind::kBroken;
      return out;
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        out.kind = Document::Kind::kScalar;
        out.text = node.Scalar();
        if (environment_ != nullptr) {
          if (const auto wrong = Interpolate(*environment_, &out.text)) {
            faults_->Add(out.origin, path, *wrong);
            out.kind = Document::Kind::kBroken;
          }
        }
        break;
      case YAML::NodeType::Sequence:
        out.kind = Document::Kind::kList;
        for (std::size_t i = 0; i < node.size() && values_ <= kMaxValues; ++i)
          out.items.push_back(Convert(node[i], path + "[" + std::to_string(i) + "]"));
        break;
      case YAML::NodeType::Map:
        out.kind = Document::Kind::kMapping;
        for (const auto& entry : node) {
          if (values_ > kMaxValues) break;
          ConvertMember(entry.first, entry.second, path, &out);
        }
        break;
      case YAML::NodeType::Null:
      case YAML::NodeType::Undefined:
        break;
    }
    return out;
  }

 private:
  Origin OriginOf(const YAML::Node& node) const {
    if (fixed_ != nullptr) return *fixed_;
    return Origin{Origin::Source::kFile, node.Mark().line + 1, file_name_};
  }

  void ConvertMember(const YAML::Node& key, const YAML::Node& value, const std::string& path, Document* out) {
    const Origin origin = OriginOf(key);
    if (!key.IsScalar()) {
      faults_->Add(origin, path, "expected a plain key");
      return;
    }
    const std::string& name = key.Scalar();
    const std::string full = path.empty() ? name : path + "." + name;
    if (const Member* earlier = out->Find(name)) {
      faults_->Add(origin, full, "given twice, first in line " + std::to_string(earlier->origin.line));
      return;
    }
    // Converted first: the member list may grow while an inner one is built, never this one.
    Document converted = Convert(value, full);
    if (fixed_ == nullptr && value.IsNull()) converted.origin = origin;
    out->members.push_back(Member{name, origin, std::move(converted)});
  }

  std::string file_name_;
  const Environment* environment_;
  const Origin* fixed_;
  Faults* faults_;
  std::size_t values_ = 0;
};

std::optional<std::size_t> AsIndex(std::string_view part) {
  std::size_t index = 0;
  const auto [end, ec] = std::from_chars(part.data(), part.data() + part.size(), index);
  if (ec != std::errc() || end != part.data() + part.size()) return std::nullopt;
  return index;
}

// Text of an override: nothing, a YAML list or mapping in brackets, or else plain text as it stands.
Document OverrideValue(const std::string& text, const Origin& origin, const std::string& path,
                       Faults* faults) {
  Document out;
  out.origin = origin;
  if (text == "null" || text == "~") return out;
  if (!text.empty() && (text.front() == '[' || text.front() == '{')) {
    try {
      return Converter("", nullptr, &origin, faults).Convert(YAML::Load(text), path);
    } catch (const YAML::Exception&) {
      faults->Add(origin, path, "not a valid YAML list or mapping");
      out.kind = Document::Kind::kBroken;
      return out;
    }
  }
  out.kind = Document::Kind::kScalar;
  out.text = text;
  return out;
}

void Override(const std::vector<std::string>& parts, const std::string& text, const Origin& origin,
              Document* root, Faults* faults) {
  Document* at = root;
  std::string path;
  for (const std::string& part : parts) {
    const auto index = AsIndex(part);
    path += index ? "[" + part + "]" : (path.empty() ? "" : ".") + part;
    if (at->kind == Document::Kind::kBroken) return;
    if (at->kind == Document::Kind::kNothing) {
      at->kind = index ? Document::Kind::kList : Document::Kind::kMapping;
      if (at->origin.name.empty()) at->origin = origin;
    }
    if (at->kind == Document::Kind::kList) {
      if (!index || *index > at->items.size()) {
        faults->Add(origin, path,
                    "expected the number of an item from 0 to " + std::to_string(at->items.size()));
        return;
      }
      if (*index == at->items.size()) at->items.emplace_back();
      at = &at->items[*index];
    } else if (at->kind == Document::Kind::kMapping) {
      Member* member = at->Find(part);
      if (member == nullptr) {
        at->members.push_back(Member{part, origin, Document{}});
        member = &at->members.back();
      }
      member->origin = origin;
      at = &member->value;
    } else {
      faults->Add(origin, path, "the value above it, from " + at->origin.Text() + ", is no section");
      return;
    }
  }
  *at = OverrideValue(text, origin, path, faults);
}

std::vector<std::string> Split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (std::size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator)) {
    parts.emplace_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.emplace_back(text);
  return parts;
}

bool HasEmptyPart(const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); });
}

}  // namespace

std::string Origin::Text() const {
  return source == Source::kFile ? name + ":" + std::to_string(line) : name;
}

void Faults::Add(const Origin& origin, std::string_view key, std::string_view what) {
  std::string text = origin.Text() + ": ";
  if (!key.empty()) text += std::string(key) + ": ";
  // Kept in the order in which a person reads the sources.
  const auto place =
      std::upper_bound(faults_.begin(), faults_.end(), origin, [](const Origin& a, const Fault& b) {
        return std::tie(a.source, a.line) < std::tie(b.origin.source, b.origin.line);
      });
  faults_.insert(place, Fault{origin, text + std::string(what)});
}

Result<void> Faults::ToResult() const {
  if (faults_.empty()) return Ok();
  std::string all;
  for (const Fault& fault : faults_) all += (all.empty() ? "" : "\n") + fault.text;
  return Error(ErrorCode::kInvalidArgument, std::move(all));
}

Member* Document::Find(std::string_view key) {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.key == key; });
  return found == members.end() ? nullptr : &*found;
}

Document ParseDocument(const Sources& sources, Faults* faults) {
  Document broken;
  broken.kind = Document::Kind::kBroken;
  broken.origin = Origin{Origin::Source::kFile, 1, sources.file_name};
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(sources.text);
    if (documents.size() > 1) {
      faults->Add(Origin{Origin::Source::kFile, documents[1].Mark().line + 1, sources.file_name}, "",
                  "expected one YAML document, found " + std::to_string(documents.size()));
      return broken;
    }
    if (documents.empty()) return Document{};
    return Converter(sources.file_name, &sources.environment, nullptr, faults).Convert(documents[0], "");
  } catch (const YAML::Exception& e) {
    faults->Add(Origin{Origin::Source::kFile, std::max(e.mark.line, 0) + 1, sources.file_name}, "",
                "not valid YAML: " + e.msg);
    return broken;
  }
}

void ApplyOverrides(const Sources& sources, Document* document, Faults* faults) {
  for (const auto& [name, value] : sources.environment) {
    if (name.compare(0, kEnvironmentPrefix.size(), kEnvironmentPrefix) != 0) continue;
    std::string path = name.substr(kEnvironmentPrefix.size());
    std::transform(path.begin(), path.end(), path.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const Origin origin{Origin::Source::kEnvironment, 0, name};
    const std::vector<std::string> parts = Split(path, "__");
    if (HasEmptyPart(parts)) {
      faults->Add(origin, "", "expected a name such as HONRYU__BROKER__PORT");
      continue;
    }
    Override(parts, value, origin, document, faults);
  }
  for (const std::string& text : sources.overrides) {
    const Origin origin{Origin::Source::kFlag, 0, "--set"};
    const std::size_t equals = text.find('=');
    const std::vector<std::string> parts = Split(std::string_view(text).substr(0, equals), ".");
    if (equals == std::string::npos || HasEmptyPart(parts)) {
      faults->Add(origin, "",
                  "expected key=value such as broker.port=4567, found '" +
                      text.substr(0, std::min<std::size_t>(equals, 64)) + "'");
      continue;
    }
    Override(parts, text.substr(equals + 1), origin, document, faults);
  }
}

}  // namespace honryu::config
