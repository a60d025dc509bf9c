#include "search/store/mapped_file.h"

#include "search/store/open_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>

namespace honryu::search {
namespace {

/// A mapping, as the handler finds it. All is atomic, and slots are never given back to the system: the
/// handler takes no lock, and may run while others come and go. A mapping whose page faults stays, because
/// whoever reads it holds it.
struct Slot {
  std::atomic<std::uintptr_t> begin{0};  ///< 0: free. Set last, cleared first.
  std::atomic<std::size_t> size{0};
  std::atomic<bool> torn{false};
};

struct Slots {
  std::array<Slot, 256> slots;
  std::atomic<Slots*> next{nullptr};
};

Slots first;              // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::mutex claiming;      // NOLINT: of slots; never taken by the handler
struct sigaction before;  // NOLINT: what SIGBUS did until then

Slot& Claim(const void* at, std::size_t size) {
  const std::lock_guard lock(claiming);
  for (auto* some = &first;; some = some->next.load()) {
    for (Slot& slot : some->slots)
      if (slot.begin.load(std::memory_order_relaxed) == 0) {
        slot.torn.store(false, std::memory_order_relaxed);
        slot.size.store(size, std::memory_order_relaxed);
        slot.begin.store(reinterpret_cast<std::uintptr_t>(at), std::memory_order_release);
        return slot;
      }
    if (some->next.load() == nullptr) some->next.store(new Slots);
  }
}

/// Async-signal-safe: loads of atomics and one system call.
bool PutZeros(std::uintptr_t address) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (auto* some = &first; some != nullptr; some = some->next.load(std::memory_order_acquire))
    for (Slot& slot : some->slots) {
      const auto begin = slot.begin.load(std::memory_order_acquire);
      if (begin == 0 || address < begin || address - begin >= slot.size.load(std::memory_order_acquire))
        continue;
      if (slot.begin.load(std::memory_order_acquire) != begin) continue;  // the size is another mapping's
      // Before the zeros are there to be read.
      slot.torn.store(true, std::memory_order_release);
      return ::mmap(reinterpret_cast<void*>(address / page * page), page, PROT_READ,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    }
  return false;
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const int kept = errno;
  // Others are sent by kill(2), and have no address.
  const bool fault =
      info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR || info->si_code == BUS_MCEERR_AR;
  if (fault && PutZeros(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    errno = kept;
    return;  // the read is done again
  }
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else if (fault || before.sa_handler == SIG_DFL) {
    // What happens without a handler: a fault comes again at once, the other kind is sent again.
    ::signal(SIGBUS, SIG_DFL);
    if (!fault) ::raise(SIGBUS);
  }
  errno = kept;
}

void InstallHandler() {
  (void)PutZeros(0);  // what it looks up once is looked up now
  struct sigaction action{};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, nullptr, &before);
  ::sigaction(SIGBUS, &action, nullptr);
}

class Mapping {
 public:
  Mapping(void* at, std::size_t size) : at_(at), size_(size), slot_(Claim(at, size)) {}
  ~Mapping() {
    slot_.begin.store(0, std::memory_order_release);
    ::munmap(at_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  const std::atomic<bool>* torn() const { return &slot_.torn; }

 private:
  void* at_;
  std::size_t size_;
  Slot& slot_;
};

}  // namespace

Result<MappedFile> MapFile(const std::string& path) {
  static std::once_flag installed;
  std::call_once(installed, InstallHandler);
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
    if (errno == ENOENT) return Error(ErrorCode::kNotFound, "there is no file " + path);
    return SystemError("open", path);
  }
  static const std::atomic<bool> whole{false};
  if (info.st_size == 0) return MappedFile{Bytes(), &whole};
  const auto size = static_cast<std::size_t>(info.st_size);
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (at == MAP_FAILED) return SystemError("map", path);
  auto mapping = std::make_shared<const Mapping>(at, size);
  const auto* torn = mapping->torn();
  return MappedFile{
      Bytes(std::shared_ptr<const void>(std::move(mapping)), BytesView(static_cast<const char*>(at), size)),
      torn};
}

}  // namespace honryu::search
