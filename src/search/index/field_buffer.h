#pragma once

#include "honryu/search/mapping.h"

#include <cstdint>
#include <string>
#include <vector>

namespace honryu::search {

/// Values of one type, in document order.
template <class T>
struct ValueBuffer {
  std::vector<std::uint32_t> docs;
  std::vector<T> values;
  void Add(std::uint32_t doc, T value) {
    docs.push_back(doc);
    values.push_back(value);
  }
  std::size_t bytes() const { return docs.size() * (4 + sizeof(T)); }
};

/// An analysed view being built: the tokens of each distinct value, as term numbers. A token's position is
/// its index.
struct TextBuffer {
  std::string name;  ///< Full name of the view.
  AnalyzerKind analyzer = AnalyzerKind::kStandard;
  std::uint32_t space = 0;  ///< Of its terms in the intern table.
  std::vector<std::uint32_t> tokens;
  std::vector<std::uint64_t> begins;  ///< First token of each value; the next value's begin is the end.
  struct Term {
    std::uint32_t offset, length;
  };
  std::vector<Term> terms;
  /// So far each value is one token, itself: `tokens` and `begins` are empty.
  bool exact = true;
};

/// All that has come for a field.
struct FieldBuffer {
  std::string name;
  FieldSpec spec;
  bool searchable = true;  ///< False: beyond the limit of fields, or switched off.
  std::uint32_t space = 0;
  ValueBuffer<std::int64_t> longs, booleans, dates;
  ValueBuffer<double> doubles;
  ValueBuffer<std::uint32_t> strings;  ///< Numbers of distinct values.
  struct Value {
    std::uint32_t offset, length;
    bool overlong;
  };
  std::vector<Value> values;
  std::vector<TextBuffer> texts;
  int mark = -1;  ///< Its number among the fields whose strings leave the source, if it is one.
};

}  // namespace honryu::search
