// Runs a fuzz target in builds without libFuzzer: on every file of the folders given, and on a few hundred
// seeded mutations of them (HONRYU_SEED replays another seed). Options are ignored; an empty folder is an
// error, because it would test nothing. A crash leaves the seed and the number of the input on stderr.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void Run(const std::string& input) {
  // A buffer of exactly this size, so that a sanitizer sees reads past it.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

// Some changed, removed, doubled or foreign bytes, or a piece of another input.
std::string Mutate(std::string input, const std::vector<std::string>& corpus, std::mt19937_64& random) {
  const auto below = [&random](std::size_t bound) {
    return bound == 0 ? 0 : static_cast<std::size_t>(random() % bound);
  };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(input.size() + 1);
    const std::size_t length = std::min(below(8) + 1, input.size() - at);
    switch (below(5)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(random());
        break;
      case 1:
        input.erase(at, length);
        break;
      case 2:
        input.insert(at, input.substr(at, length));
        break;
      case 3:
        input.insert(at, 1, static_cast<char>(random()));
        break;
      default: {
        const std::string& other = corpus[below(corpus.size())];
        const std::size_t from = below(other.size());
        input.insert(at, other.substr(from, below(64)));
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::size_t kMutations = 500;
  constexpr std::size_t kLargest = 65536;  // larger inputs are run as they are, but not mutated
  std::vector<std::string> corpus, small;
  for (int i = 1; i < argc; ++i) {
    if (argv[i][0] == '-') continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      corpus.emplace_back((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    }
  }
  if (corpus.empty()) return 1;
  std::sort(corpus.begin(), corpus.end());  // folders have no order of their own
  for (const std::string& input : corpus) {
    Run(input);
    if (input.size() <= kLargest) small.push_back(input);
  }
  const char* given = std::getenv("HONRYU_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < kMutations && !small.empty(); ++i) {
    std::fprintf(stderr, "\rmutation %zu", i);
    Run(Mutate(small[i % small.size()], small, random));
  }
  std::printf("\n%zu inputs and their mutations\n", corpus.size());
  return 0;
}
