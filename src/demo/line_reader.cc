#include "honryu/demo/replay.h"

#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace honryu::demo {
namespace {
constexpr std::size_t kLongestLine = std::size_t{4} << 20;
constexpr unsigned kBuffer = 256 << 10;

bool Blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }
}  // namespace

struct LineReader::Impl {
  Impl() = default;
  ~Impl() {
    if (file != nullptr) gzclose(file);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  gzFile file = nullptr;  ///< zlib reads plain files through the same calls.
  std::string path;
  std::string buffer;
  std::size_t at = 0;  ///< Of what is unread in buffer.
  bool end = false;
  std::uint64_t number = 0;

  /// Reads more behind what is unread.
  Result<void> Fill() {
    buffer.erase(0, at);
    at = 0;
    const std::size_t before = buffer.size();
    buffer.resize(before + kBuffer);
    const int got = gzread(file, buffer.data() + before, kBuffer);
    buffer.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0) return Failure();
    if (got == 0) {
      int code = Z_OK;
      gzerror(file, &code);
      if (code != Z_OK) return Failure();  // the compressed file ends in the middle
      end = true;
    }
    return Ok();
  }
  Error Failure() const {
    int code = Z_OK;
    const std::string text = gzerror(file, &code);
    if (code == Z_ERRNO) return Error(ErrorCode::kIo, path + ": " + std::strerror(errno));
    return Error(ErrorCode::kCorrupt,
                 path + ": broken compression after line " + std::to_string(number) + ": " + text);
  }
};

LineReader::LineReader() : impl_(std::make_unique<Impl>()) {}
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

Result<LineReader> LineReader::Open(const std::string& path) {
  LineReader reader;
  reader.impl_->path = path;
  reader.impl_->file = gzopen(path.c_str(), "rb");
  if (reader.impl_->file == nullptr) {
    const int reason = errno;
    return Error(reason == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                 path + ": " + std::strerror(reason));
  }
  gzbuffer(reader.impl_->file, kBuffer);
  return reader;
}

Result<std::optional<std::string>> LineReader::Next() {
  Impl& impl = *impl_;
  std::size_t looked = 0;
  for (;;) {
    const std::size_t line_end = impl.buffer.find('\n', impl.at + looked);
    if (line_end == std::string::npos && !impl.end) {
      looked = impl.buffer.size() - impl.at;
      if (looked > kLongestLine)
        return Error(ErrorCode::kTooLarge, impl.path + ": line " + std::to_string(impl.number + 1) +
                                               " is longer than " + std::to_string(kLongestLine) + " bytes");
      HONRYU_TRY_VOID(impl.Fill());
      continue;
    }
    if (line_end == std::string::npos && impl.at >= impl.buffer.size()) return std::optional<std::string>();
    const std::size_t length = (line_end == std::string::npos ? impl.buffer.size() : line_end) - impl.at;
    std::string line = impl.buffer.substr(impl.at, length);
    impl.at += length + (line_end == std::string::npos ? 0 : 1);
    looked = 0;
    ++impl.number;
    if (Blank(line)) continue;
    if (line.back() == '\r') line.pop_back();
    return std::optional<std::string>(std::move(line));
  }
}

std::uint64_t LineReader::number() const { return impl_->number; }

}  // namespace honryu::demo
