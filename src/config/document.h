#pragma once

#include "honryu/base/result.h"
#include "honryu/config/load.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::config {

/// Where a value was written. Faults are shown in this order: by source, then by line.
struct Origin {
  enum class Source { kFile, kEnvironment, kFlag };
  Source source = Source::kFile;
  int line = 0;      ///< From 1, of a file.
  std::string name;  ///< File, variable, or "--set".

  /// "honryu.yaml:12", "HONRYU__BROKER__PORT", "--set".
  std::string Text() const;
};

/// All that is wrong, gathered so that a person needs to start only once to see it.
class Faults {
 public:
  void Add(const Origin& origin, std::string_view key, std::string_view what);
  std::size_t size() const { return faults_.size(); }
  /// Ok, or kInvalidArgument with one line a fault.
  Result<void> ToResult() const;

 private:
  struct Fault {
    Origin origin;
    std::string text;
  };
  std::vector<Fault> faults_;
};

struct Member;

/// A YAML value after aliases, ${NAME} and overrides; knows nothing of the schema.
struct Document {
  enum class Kind {
    kNothing,
    kScalar,
    kList,
    kMapping,
    kBroken,  ///< A fault has been reported; to be passed over.
  };
  Kind kind = Kind::kNothing;
  Origin origin;
  std::string text;             // kScalar
  std::vector<Document> items;  // kList
  std::vector<Member> members;  // kMapping, in the order of the file

  Member* Find(std::string_view key);
};

struct Member {
  std::string key;
  Origin origin;  ///< Of the key.
  Document value;
};

/// Parses one YAML document and opens ${NAME}. What is wrong goes to `faults`.
Document ParseDocument(const Sources& sources, Faults* faults);
/// Puts the variables HONRYU__A__B and then the overrides "a.b=c" into `document`.
void ApplyOverrides(const Sources& sources, Document* document, Faults* faults);

}  // namespace honryu::config
