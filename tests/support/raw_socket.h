#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu::testing {

/// A blocking TCP connection to 127.0.0.1 for tests that speak a protocol byte by byte. Reads give up after
/// ten seconds.
class RawSocket {
 public:
  explicit RawSocket(std::uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const timeval timeout{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~RawSocket() { ::close(fd_); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  bool connected() const { return connected_; }
  bool Send(std::string_view bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// Reads until the peer closes.
  std::string ReadAll() {
    std::string out;
    while (Receive(&out)) {
    }
    return out;
  }
  /// Reads until `marker` has come `times` times (or the peer closes); returns everything read.
  std::string ReadUntil(std::string_view marker, int times = 1) {
    std::string out;
    for (;;) {
      int found = 0;
      for (std::size_t at = out.find(marker); at != std::string::npos;
           at = out.find(marker, at + marker.size()))
        ++found;
      if (found >= times || !Receive(&out)) return out;
    }
  }

  /// Appends what comes next; false at the end, or after ten seconds of silence.
  bool Receive(std::string* out) {
    char buffer[65536];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    out->append(buffer, static_cast<std::size_t>(n));
    return true;
  }

 private:
  int fd_ = -1;
  bool connected_ = false;
};

}  // namespace honryu::testing
