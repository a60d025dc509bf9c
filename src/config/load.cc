#include "honryu/config/load.h"

#include "document.h"
#include "nearest.h"
#include "node.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <set>
#include <system_error>

namespace honryu::config {
namespace {

using internal::Node;

std::string Child(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

std::string Found(const Document& document, bool secret) {
  switch (document.kind) {
    case Document::Kind::kNothing:
      return "nothing";
    case Document::Kind::kList:
      return "a list";
    case Document::Kind::kMapping:
      return "a section";
    case Document::Kind::kScalar:
    case Document::Kind::kBroken:
      break;
  }
  if (secret) return "another text (not shown: it is a secret)";
  constexpr std::size_t kShown = 64;
  return "'" + document.text.substr(0, kShown) + (document.text.size() > kShown ? "…'" : "'");
}

Result<std::string> ReadWholeFile(const std::string& path) {
  constexpr std::size_t kLimit = 16 << 20;  // far above any configuration; a device would never end
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  const auto failed = [&] {
    return Error(ErrorCode::kIo, "cannot read " + path + ": " + std::generic_category().message(errno));
  };
  if (file == nullptr) return failed();
  std::string text;
  char piece[8192];
  while (const std::size_t size = std::fread(piece, 1, sizeof piece, file.get())) {
    text.append(piece, size);
    if (text.size() > kLimit) return Error(ErrorCode::kTooLarge, path + " is larger than 16MiB");
  }
  if (std::ferror(file.get()) != 0) return failed();
  return text;
}

// All paths to keys named `key`, for misplaced ones.
void CollectPaths(const Section& section, std::string_view key, const std::string& path,
                  std::vector<std::string>* out) {
  for (const auto& node : section.nodes()) {
    const std::string child = Child(path, node->key);
    if (node->key == key) out->push_back(child);
    if (node->kind == Node::Kind::kSection) CollectPaths(*node->section, key, child, out);
  }
}

class Binder {
 public:
  Binder(const Section& root, Faults* faults, LoadNotes* notes)
      : root_(root), faults_(faults), notes_(notes) {}

  void Bind(const Section& section, Document& document, const std::string& path) {
    if (document.kind == Document::Kind::kBroken) return;
    if (document.kind != Document::Kind::kMapping && document.kind != Document::Kind::kNothing) {
      faults_->Add(document.origin, path,
                   std::string("expected a section (keys and values), found ") +
                       (document.kind == Document::Kind::kList ? "a list" : "a single value"));
      return;
    }
    const std::size_t faults_before = faults_->size();
    std::set<std::string> known;
    for (const auto& node : section.nodes()) BindNode(*node, document, path, &known);
    for (const Member& member : document.members) {
      if (known.count(member.key) == 0) ReportUnknown(section, member, path);
    }
    if (faults_->size() != faults_before) return;
    for (const auto& check : section.checks()) {
      const Result<void> result = check();
      if (!result.ok()) ReportCheck(result.error().message(), document, path);
    }
  }

 private:
  void BindNode(const Node& node, Document& parent, const std::string& path, std::set<std::string>* known) {
    known->insert(node.key);
    Member* member = parent.Find(node.key);
    std::string key = node.key;
    if (!node.doc.former_key.empty()) {
      known->insert(std::string(node.doc.former_key));
      if (Member* former = parent.Find(node.doc.former_key))
        member = TakeFormer(node, member, former, path, &key);
    }
    const std::string full = Child(path, key);
    if (node.kind == Node::Kind::kValue && node.doc.secret && node.value.text) {
      const std::string file_key = node.key + "_file";
      known->insert(file_key);
      if (Member* file = parent.Find(file_key)) {
        if (member == nullptr || file->value.origin.source > member->value.origin.source)
          return BindFile(node, *file, Child(path, file_key));
        if (file->value.origin.source == member->value.origin.source) {
          faults_->Add(file->origin, Child(path, file_key),
                       "given together with " + full + ": expected one of the two");
          return;
        }
      }
    }
    if (member == nullptr) {
      if (node.doc.required) faults_->Add(parent.origin, full, "missing: expected " + node.value.expected);
      return;
    }
    if (member->value.kind == Document::Kind::kBroken) return;
    if (node.doc.audience == Audience::kDeprecated)
      notes_->warnings.push_back(member->origin.Text() + ": " + full +
                                 ": deprecated: " + std::string(node.doc.doc));
    switch (node.kind) {
      case Node::Kind::kValue:
        return BindValue(node, member->value, full);
      case Node::Kind::kTexts:
        return BindTexts(node, member->value, full);
      case Node::Kind::kSection:
        if (member->value.kind == Document::Kind::kNothing) member->value.origin = member->origin;
        return Bind(*node.section, member->value, full);
      case Node::Kind::kList:
        return BindList(node, member->value, full);
    }
  }

  Member* TakeFormer(const Node& node, Member* member, Member* former, const std::string& path,
                     std::string* key) {
    const std::string former_path = Child(path, former->key);
    if (member != nullptr) {
      faults_->Add(former->origin, former_path, "given together with its new name " + Child(path, node.key));
      return member;
    }
    notes_->warnings.push_back(former->origin.Text() + ": " + former_path + ": is now called " +
                               Child(path, node.key));
    *key = former->key;
    return former;
  }

  void BindValue(const Node& node, const Document& document, const std::string& path) {
    const bool nothing = document.kind == Document::Kind::kNothing ||
                         (document.kind == Document::Kind::kScalar && document.text.empty());
    if (nothing && node.value.optional) {
      node.value.reset();
      return;
    }
    if (document.kind != Document::Kind::kScalar || !node.value.set(document.text))
      faults_->Add(document.origin, path,
                   "expected " + node.value.expected + ", found " + Found(document, node.doc.secret));
  }

  void BindFile(const Node& node, const Member& member, const std::string& path) {
    if (member.value.kind == Document::Kind::kBroken) return;
    if (member.value.kind != Document::Kind::kScalar || member.value.text.empty()) {
      faults_->Add(member.origin, path, "expected the path of a file, found " + Found(member.value, false));
      return;
    }
    Result<std::string> content = ReadWholeFile(member.value.text);
    if (!content.ok()) {
      faults_->Add(member.origin, path, content.error().message());
      return;
    }
    std::string& text = *content;
    if (!text.empty() && text.back() == '\n') text.pop_back();
    if (!text.empty() && text.back() == '\r') text.pop_back();
    if (!node.value.set(text)) {
      faults_->Add(member.origin, path,
                   "expected a file that holds " + node.value.expected + ", found " +
                       (text.empty() ? "an empty one" : "another text (not shown: it is a secret)"));
    }
  }

  void BindTexts(const Node& node, const Document& document, const std::string& path) {
    std::vector<Document> items = document.items;
    if (document.kind == Document::Kind::kScalar && document.origin.source != Origin::Source::kFile) {
      items = SplitAtCommas(document);
    } else if (document.kind != Document::Kind::kList) {
      faults_->Add(
          document.origin, path,
          "expected a list, each " + node.value.expected + ", found " + Found(document, node.doc.secret));
      return;
    }
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].kind == Document::Kind::kBroken) continue;
      if (items[i].kind != Document::Kind::kScalar || !node.value.set(items[i].text)) {
        faults_->Add(items[i].origin, path + "[" + std::to_string(i) + "]",
                     "expected " + node.value.expected + ", found " + Found(items[i], node.doc.secret));
        continue;
      }
      texts.push_back(items[i].text);
    }
    *node.texts = std::move(texts);
  }

  static std::vector<Document> SplitAtCommas(const Document& document) {
    std::vector<Document> items;
    std::string_view rest = document.text;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      std::string_view part = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
      while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
      Document item;
      item.kind = Document::Kind::kScalar;
      item.origin = document.origin;
      item.text = part;
      items.push_back(std::move(item));
    }
    return items;
  }

  void BindList(const Node& node, Document& document, const std::string& path) {
    if (document.kind != Document::Kind::kList) {
      faults_->Add(document.origin, path,
                   document.kind == Document::Kind::kNothing
                       ? "expected a list, found nothing (write [] for none)"
                       : "expected a list, found something else");
      return;
    }
    node.list.clear();
    for (std::size_t i = 0; i < document.items.size(); ++i) {
      // Read at once: the next item may move this one.
      Section item;
      node.list.append(item);
      Bind(item, document.items[i], path + "[" + std::to_string(i) + "]");
    }
  }

  void ReportUnknown(const Section& section, const Member& member, const std::string& path) {
    std::vector<std::string> candidates;
    for (const auto& node : section.nodes()) {
      candidates.push_back(node->key);
      if (node->doc.secret && node->value.text) candidates.push_back(node->key + "_file");
    }
    std::string what = "unknown key";
    std::vector<std::string> elsewhere;
    CollectPaths(root_, member.key, "", &elsewhere);
    if (const std::string near = Nearest(member.key, candidates); !near.empty()) {
      what += "; did you mean '" + near + "'?";
    } else if (!elsewhere.empty()) {
      what += "; did you mean '" + elsewhere.front() + "'?";
    } else {
      what += "; known here: ";
      for (std::size_t i = 0; i < section.nodes().size(); ++i)
        what += (i == 0 ? "" : ", ") + section.nodes()[i]->key;
    }
    faults_->Add(member.origin, Child(path, member.key), what);
  }

  void ReportCheck(std::string_view message, const Document& document, const std::string& path) {
    while (!message.empty()) {
      const std::size_t end = message.find('\n');
      if (end != 0) faults_->Add(document.origin, path, message.substr(0, end));
      message = end == std::string_view::npos ? std::string_view() : message.substr(end + 1);
    }
  }

  const Section& root_;
  Faults* faults_;
  LoadNotes* notes_;
};

}  // namespace

Environment ProcessEnvironment() {
  Environment environment;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      environment.emplace(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
  }
  return environment;
}

Result<LoadNotes> Load(const Sources& sources, const DescribeFunction& describe) {
  Faults faults;
  LoadNotes notes;
  Document document = ParseDocument(sources, &faults);
  if (document.kind == Document::Kind::kNothing)
    document.origin =
        Origin{Origin::Source::kFile, 1, sources.file_name.empty() ? "defaults" : sources.file_name};
  ApplyOverrides(sources, &document, &faults);
  Section root;
  describe(root);
  Binder(root, &faults, &notes).Bind(root, document, "");
  HONRYU_TRY_VOID(faults.ToResult());
  return notes;
}

Result<LoadNotes> LoadFile(const std::string& path, Environment environment,
                           std::vector<std::string> overrides, const DescribeFunction& describe) {
  Sources sources;
  sources.environment = std::move(environment);
  sources.overrides = std::move(overrides);
  if (!path.empty()) {
    HONRYU_TRY(sources.text, ReadWholeFile(path));
    sources.file_name = path;
  }
  return Load(sources, describe);
}

}  // namespace honryu::config
