#pragma once

#include "honryu/search/analyzer.h"
#include "search/query/doc_set.h"
#include "search/segment/segment.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// Tokens that must stand at given distances; a single one is a plain term.
struct TextClause {
  struct Part {
    std::string term;
    bool prefix = false;  ///< Every token that begins so.
    std::uint32_t offset = 0;
  };
  std::vector<Part> parts;
};

/// What each word of `text` asks for: a word its token; a run of Chinese, Japanese or Korean its pairs one
/// behind the other; a single such character every token that begins with it.
std::vector<TextClause> WordClauses(Analyzer& analyzer, std::string_view text);
/// All of `text` as one phrase. No parts when it has no tokens.
TextClause PhraseClause(Analyzer& analyzer, std::string_view text);
/// Makes the clause's last part take every token that begins so.
void OpenEnd(TextClause& clause);

/// Targets (documents, or ordinals of the exact view) where a clause matches, with how often.
struct TextHits {
  std::vector<std::uint32_t> targets, frequencies;  ///< frequencies only where asked for
};
/// Only targets within `range` are looked at.
TextHits FindClause(const TextColumn& column, const TextClause& clause, std::uint32_t slop, bool frequencies,
                    DocRange range = {});

}  // namespace honryu::search
