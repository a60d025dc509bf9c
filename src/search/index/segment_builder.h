#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/search/mapping.h"
#include "search/geo/geo_point.h"
#include "search/index/document_parser.h"
#include "search/index/field_buffer.h"
#include "search/index/intern_table.h"
#include "search/segment/source_blocks.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace honryu::search {

/// Where a document comes from: its key.
struct DocumentKey {
  std::string_view shard;
  std::uint64_t sequence = 0;
  std::uint32_t part = 0;      ///< Within an aggregated record.
  std::string_view id;         ///< The client's; empty when it gave none.
  std::string_view id_path{};  ///< Where in the document the id stands, if it does.
};

/// What happened to values that did not go in as they were.
struct BuilderCounters {
  std::uint64_t ignored_values = 0;  ///< Beyond the limit of fields or of nesting.
  std::uint64_t conflicting_values = 0;
  std::uint64_t overlong_values = 0;  ///< Found by text and by reading the source, not by the exact column.
  std::uint64_t cut_texts = 0;        ///< Tokens beyond the limit were left out.
};

/// Gathers documents and writes them as one segment. Not thread-safe.
class SegmentBuilder {
 public:
  explicit SegmentBuilder(Mapping& mapping);

  /// Adds a document that `object` is the parsed form of.
  void Add(BytesView source, const simdjson::dom::object& object, const DocumentKey& key,
           std::int64_t time_ms);
  std::uint32_t doc_count() const { return docs_; }
  /// What is held, about.
  std::size_t bytes() const;
  const BuilderCounters& counters() const { return counters_; }
  /// The segment file of everything added; the builder is empty afterwards, with memory kept for as much
  /// again. `pack_terms`: see SegmentFileWriter.
  std::string Finish(bool pack_terms = true);

 private:
  /// A place in documents: a member's name below its object's. Documents mostly look alike, so the members of
  /// an object are expected where they came after each other the last time.
  struct Node {
    std::string key, path;
    FieldBuffer* field = nullptr;  ///< Once a value came, of the segment of that number.
    std::uint64_t segment = 0;
    std::vector<std::unique_ptr<Node>> children;
    std::unordered_map<std::string_view, Node*> by_key;  ///< Of the children, when they are many.
    std::size_t expected = 0;
  };
  /// Null when so many names have come that this one is not remembered.
  Node* ChildOf(Node& parent, std::string_view key);
  std::string PathOf(const Node& parent, std::string_view key) const;
  FieldBuffer* FieldOf(Node& node, ValueKind kind);
  FieldBuffer* MakeField(const std::string& path, ValueKind kind);
  void WalkObject(const simdjson::dom::object& object, Node& node, std::size_t depth);
  void Walk(const simdjson::dom::element& element, Node& node, std::size_t depth);
  void AddString(Node& node, std::string_view text);
  void AddLong(Node& node, std::int64_t value);
  void AddDouble(Node& node, double value);
  void AddBoolean(Node& node, bool value);
  void AddPoint(Node& node, double lat, double lon);
  void Store(FieldBuffer& field, std::string_view text, bool limited);
  void StoreText(FieldBuffer& field, TextBuffer& text, std::string_view value);
  void AddTokens(TextBuffer& text);
  /// Gives the view the tokens of its first `values` values, each of which is its only token.
  void MakeTokens(const FieldBuffer& field, TextBuffer& text, std::size_t values);
  void Detach(FieldBuffer& field, std::string_view text);
  /// Fields whose strings are hardly ever the same twice: the next segments keep them out of the sources.
  void LearnUnique();
  void Conflict(FieldBuffer& field);
  bool HasExactly(std::string_view path, std::string_view id);
  bool AddGeoPoint(const simdjson::dom::element& element, Node& node, std::size_t depth);
  /// One of the store's own fields.
  enum Own { kTime, kShard, kSequence, kPart, kId, kIdPath, kOwnFields };
  FieldBuffer& OwnField(Own own);

  Mapping& mapping_;
  std::uint32_t docs_ = 0;
  std::uint32_t spaces_ = 0;
  std::size_t last_bytes_ = 0;  ///< Of the last segment.
  std::unique_ptr<Node> root_ = std::make_unique<Node>();
  std::size_t nodes_ = 0;
  std::uint64_t segment_ = 0;  ///< Number of the one being built.
  std::array<FieldBuffer*, kOwnFields> own_{};
  std::string exact_path_;  ///< The last answer of HasExactly, but for the value itself.
  bool exact_path_fits_ = false;
  // The document being added: its bytes, and those of its strings that leave the source.
  BytesView document_;
  std::size_t document_at_ = 0;
  struct Cut {
    std::size_t begin, size;
    int mark;
  };
  std::vector<Cut> cuts_;
  std::vector<std::string> unique_;
  std::string stored_;
  std::deque<FieldBuffer> fields_;  // stays in place as it grows
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return Hash64(name); }
  };
  std::unordered_map<std::string, FieldBuffer*, NameHash, std::equal_to<>> by_name_;
  InternTable values_, terms_;
  SourceWriter source_;
  BuilderCounters counters_;
  Analyzer analyzers_[4] = {Analyzer(AnalyzerKind::kStandard), Analyzer(AnalyzerKind::kWords),
                            Analyzer(AnalyzerKind::kWhitespace), Analyzer(AnalyzerKind::kKeyword)};
  std::vector<Token> tokens_;
  std::vector<InternTable::Key> keys_;
};

}  // namespace honryu::search
