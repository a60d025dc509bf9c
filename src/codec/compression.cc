#include "honryu/codec/compression.h"

#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace honryu::codec {
namespace {

Error TooBig(std::size_t limit) {
  return Error(ErrorCode::kTooLarge,
               "decompressed data exceeds the limit of " + std::to_string(limit) + " bytes");
}
Error Broken(const char* format) {
  return Error(ErrorCode::kInvalidArgument, std::string("not valid ") + format + " data, or cut short");
}

// Grows geometrically up to limit + 1: one byte more than allowed proves the excess.
std::size_t NextSize(std::size_t size, std::size_t limit) {
  constexpr std::size_t kFirst = 16384;
  const std::size_t wanted =
      std::max(kFirst, size < std::numeric_limits<std::size_t>::max() / 2 ? size * 2 : size);
  return limit == std::numeric_limits<std::size_t>::max() ? wanted : std::min(wanted, limit + 1);
}

// Uninitialised memory for one call. A thread keeps what it used last, up to kKept; one at a time per thread.
class Scratch {
 public:
  explicit Scratch(std::size_t size) : memory_(size <= kKept ? Kept().get() : nullptr) {
    if (memory_ != nullptr) return;
    own_.reset(new char[size]);
    memory_ = own_.get();
  }
  char* data() const { return memory_; }

 private:
  static constexpr std::size_t kKept = 1 << 20;
  static std::unique_ptr<char[]>& Kept() {
    thread_local std::unique_ptr<char[]> kept(new char[kKept]);
    return kept;
  }
  std::unique_ptr<char[]> own_;
  char* memory_;
};

Result<std::string> Gunzip(std::string_view packed, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 32) != Z_OK) return Error(ErrorCode::kInternal, "zlib could not start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  std::string out;
  std::size_t used = 0, taken = 0;
  while (taken < packed.size()) {
    // One member (or zlib stream) a turn; input and output are given to zlib in pieces that fit its 32-bit
    // counts.
    int status = Z_OK;
    while (status != Z_STREAM_END) {
      if (used == out.size()) {
        if (used > limit) return TooBig(limit);
        out.resize(NextSize(used, limit));
      }
      constexpr std::size_t kPiece = 1 << 30;
      const std::size_t in_size = std::min(kPiece, packed.size() - taken),
                        out_size = std::min(kPiece, out.size() - used);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + taken));
      stream.avail_in = static_cast<uInt>(in_size);
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
      stream.avail_out = static_cast<uInt>(out_size);
      status = inflate(&stream, Z_NO_FLUSH);
      taken += in_size - stream.avail_in;
      used += out_size - stream.avail_out;
      if (used > limit) return TooBig(limit);
      if (status != Z_OK && status != Z_STREAM_END && !(status == Z_BUF_ERROR && stream.avail_out == 0))
        return Broken("gzip");
      if (status == Z_OK && stream.avail_in == 0 && stream.avail_out != 0 && taken == packed.size())
        return Broken("gzip");
    }
    if (inflateReset(&stream) != Z_OK) return Error(ErrorCode::kInternal, "zlib could not go on");
  }
  out.resize(used);
  return out;
}

// A context costs more than a small batch: each thread keeps one.
ZSTD_CCtx* ThreadCompressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(),
                                                                                     ZSTD_freeCCtx);
  return context.get();
}
ZSTD_DCtx* ThreadDecompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                                     ZSTD_freeDCtx);
  return context.get();
}

// Frames of unknown size, several frames, and frames that claim more than the limit.
Result<std::string> UnzstdStream(std::string_view packed, std::size_t limit) {
  // Not the thread's context: a stream keeps buffers of up to its window.
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (context == nullptr) return Error(ErrorCode::kInternal, "zstd could not start");
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax,
                         27);  // 128 MiB: no frame may ask for more memory
  std::string out;
  std::size_t used = 0, left = 0;
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  while (in.pos < in.size || left != 0) {
    if (used == out.size()) {
      if (used > limit) return TooBig(limit);
      out.resize(NextSize(used, limit));
    }
    ZSTD_outBuffer to{out.data(), out.size(), used};
    const std::size_t before = in.pos;
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left) != 0) return Broken("zstd");
    if (in.pos == in.size && left != 0 && to.pos < to.size && before == in.pos && to.pos == used)
      return Broken("zstd");
    used = to.pos;
    if (used > limit) return TooBig(limit);
  }
  out.resize(used);
  return out;
}

Result<std::string> Unzstd(std::string_view packed, std::size_t limit) {
  // One frame that says its size, as Compress() writes it, opens in one step. The size is believed only as
  // far as the format can expand (a block of at most 128 KiB takes at least 4 bytes), so that a few bytes
  // cannot claim much memory.
  const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  constexpr unsigned long long kExpansion = (128 << 10) / 4;
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > limit ||
      size / kExpansion > packed.size() || ThreadDecompressor() == nullptr ||
      ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size())
    return UnzstdStream(packed, limit);
  std::string out(static_cast<std::size_t>(size), '\0');
  const std::size_t written =
      ZSTD_decompressDCtx(ThreadDecompressor(), out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(written) != 0 || written != out.size()) return Broken("zstd");
  return out;
}

}  // namespace

Result<std::string> Compress(Compression codec, std::string_view plain, int level) {
  std::string out;
  switch (codec) {
    case Compression::kNone:
      return std::string(plain);
    case Compression::kLz4: {
      if (plain.size() > LZ4_MAX_INPUT_SIZE)
        return Error(ErrorCode::kTooLarge, "too large for one lz4 block");
      // Not `out` itself: resizing it to the bound would first fill all of it with zeros.
      const int bound = LZ4_compressBound(static_cast<int>(plain.size()));
      const Scratch scratch(static_cast<std::size_t>(bound));
      const int size = LZ4_compress_fast(plain.data(), scratch.data(), static_cast<int>(plain.size()), bound,
                                         std::max(level, 1));
      if (size <= 0) return Error(ErrorCode::kInternal, "lz4 failed");
      out.assign(scratch.data(), static_cast<std::size_t>(size));
      return out;
    }
    case Compression::kZstd: {
      const Scratch scratch(ZSTD_compressBound(plain.size()));
      if (ThreadCompressor() == nullptr) return Error(ErrorCode::kInternal, "zstd could not start");
      const std::size_t size =
          ZSTD_compressCCtx(ThreadCompressor(), scratch.data(), ZSTD_compressBound(plain.size()),
                            plain.data(), plain.size(), level == 0 ? 1 : level);
      if (ZSTD_isError(size) != 0) return Error(ErrorCode::kInternal, "zstd failed");
      out.assign(scratch.data(), size);
      return out;
    }
    case Compression::kGzip: {
      if (plain.size() > std::numeric_limits<uInt>::max())
        return Error(ErrorCode::kTooLarge, "too large for one gzip call");
      z_stream stream{};
      if (deflateInit2(&stream, level == 0 ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED, 15 + 16, 8,
                       Z_DEFAULT_STRATEGY) != Z_OK) {
        return Error(ErrorCode::kInternal, "zlib could not start");
      }
      const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, deflateEnd);
      out.resize(deflateBound(&stream, plain.size()));
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
      stream.avail_in = static_cast<uInt>(plain.size());
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return Error(ErrorCode::kInternal, "gzip failed");
      out.resize(stream.total_out);
      return out;
    }
  }
  return Error(ErrorCode::kInvalidArgument, "unknown compression");
}

Result<std::string> Decompress(Compression codec, std::string_view packed, std::size_t limit) {
  switch (codec) {
    case Compression::kNone:
      if (packed.size() > limit) return TooBig(limit);
      return std::string(packed);
    case Compression::kLz4: {
      if (limit > LZ4_MAX_INPUT_SIZE || packed.size() > LZ4_MAX_INPUT_SIZE)
        return Error(ErrorCode::kTooLarge, "too large for one lz4 block");
      std::string out(limit, '\0');
      const int size = LZ4_decompress_safe(packed.data(), out.data(), static_cast<int>(packed.size()),
                                           static_cast<int>(limit));
      if (size < 0 || static_cast<std::size_t>(size) != limit) return Broken("lz4");
      return out;
    }
    case Compression::kZstd:
      return Unzstd(packed, limit);
    case Compression::kGzip:
      return Gunzip(packed, limit);
  }
  return Error(ErrorCode::kInvalidArgument, "unknown compression");
}

Result<Compression> ParseContentEncoding(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower.empty() || lower == "identity") return Compression::kNone;
  if (lower == "gzip" || lower == "x-gzip" || lower == "deflate") return Compression::kGzip;
  if (lower == "zstd") return Compression::kZstd;
  return Error(ErrorCode::kInvalidArgument,
               "expected gzip, deflate, zstd or identity, found '" + lower.substr(0, 32) + "'");
}

}  // namespace honryu::codec
