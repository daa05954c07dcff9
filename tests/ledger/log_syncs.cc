#include "tests/ledger/log_syncs.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>

namespace {

std::atomic<uint64_t> syncs{0};
std::atomic<bool> failing{false};

bool is_log(int file) {
  char path[4096];
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path, sizeof path);
  return size > 0 && std::string_view(path, static_cast<size_t>(size)).ends_with(".log");
}

int synced(const char* name, int file) {
  const bool log = is_log(file);
  if (log && failing) {
    errno = EIO;
    return -1;
  }
  const int result = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, name))(file);
  if (log && result == 0) ++syncs;
  return result;
}

}  // namespace

extern "C" int fdatasync(int file) { return synced("fdatasync", file); }
extern "C" int fsync(int file) { return synced("fsync", file); }

namespace support {

uint64_t log_syncs() { return syncs; }
FailingLogSyncs::FailingLogSyncs() { failing = true; }
FailingLogSyncs::~FailingLogSyncs() { failing = false; }

}  // namespace support
