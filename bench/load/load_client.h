#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace honryu::bench {

/// One blocking HTTP/1.1 connection to 127.0.0.1, as cheap as a client can be: ready-made request bytes out,
/// the answer's body in. For closed-loop load; aborts the program on a broken connection. Not thread-safe.
class LoadConnection {
 public:
  explicit LoadConnection(std::uint16_t port);
  ~LoadConnection();
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  /// Sends `request` and reads one answer; returns its status. `body` holds the answer's body.
  int Exchange(const std::string& request, std::string* body);

 private:
  int fd_ = -1;
  std::string buffer_;
};

/// Head and body of a POST.
std::string MakePost(const std::string& target, const std::string& content_type,
                     const std::string& amz_target, const std::string& body);

/// A record of about `size` bytes: JSON that looks like an app event (compresses about threefold), or random
/// bytes.
std::string MakeRecord(std::size_t size, bool json_like, std::uint64_t seed);

/// PutRecords body with `count` such records on random partition keys.
std::string MakePutRecordsBody(const std::string& stream, int count, std::size_t size, bool json_like,
                               std::uint64_t seed);

/// Value below which the fraction `p` of `values` lies (nearest rank). Sorts `values`.
double Percentile(std::vector<double>& values, double p);

}  // namespace honryu::bench
