#include "tools/command_id.h"

#include <sys/random.h>
#include <sys/types.h>

#include "base/text.h"

namespace tools {

std::string new_command_id() {
  char bytes[16];
  size_t filled = 0;
  while (filled < sizeof bytes) {
    const ssize_t got = getrandom(bytes + filled, sizeof bytes - filled, 0);
    if (got > 0) filled += static_cast<size_t>(got);
  }
  return base::hex({bytes, sizeof bytes});
}

}  // namespace tools
