#include "daemons/monitor/sighting.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "daemons/monitor/stat_stamp.h"

namespace daemons {

Look look_at(const std::string& path) {
  struct stat here {}, target {};
  Look look;
  if (lstat(path.c_str(), &here) != 0 || stat(path.c_str(), &target) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) look.failure = strerror(errno);
    return look;
  }
  if (S_ISDIR(target.st_mode)) return look;
  look.stamp = stamp_of(target, S_ISLNK(here.st_mode));
  return look;
}

std::string resolved(const std::string& path) {
  std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
  return real ? std::string(real.get()) : path;
}

}  // namespace daemons
