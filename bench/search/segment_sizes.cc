// Where the bytes of segment files are: search_segment_sizes FILE…
#include "search/segment/segment_file.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace {

constexpr const char* kKinds[] = {"?",         "source",    "longs",    "doubles",  "booleans",
                                  "dates",     "ordinals",  "terms",    "postings", "overlong",
                                  "textterms", "textlists", "textsizes"};

}  // namespace

int main(int argc, char** argv) {
  std::map<std::pair<std::string, std::string>, double> sizes;
  double docs = 0, all = 0;
  for (int i = 1; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const auto file = honryu::search::SegmentFile::Open(bytes, false);
    if (!file.ok()) return 1;
    docs += file->doc_count;
    all += static_cast<double>(bytes.size());
    for (const auto& [place, view] : file->sections) {
      const auto kind = static_cast<std::size_t>(place.second);
      sizes[{place.first < file->fields.size() ? file->fields[place.first].name : "",
             kind < std::size(kKinds) ? kKinds[kind] : "?"}] += static_cast<double>(view.size());
    }
  }
  for (const auto& [name, size] : sizes)
    std::printf("%-28s %-10s %8.2f B a document\n", name.first.c_str(), name.second.c_str(), size / docs);
  std::printf("%.0f documents, %.1f B each\n", docs, all / docs);
  return 0;
}
