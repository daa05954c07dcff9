#include "base/program.h"

namespace base {
namespace {

std::filesystem::path own_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

}  // namespace

std::filesystem::path companion_program(std::string_view name) { return own_folder() / name; }

std::filesystem::path shared_file(std::string_view name) {
  return own_folder().parent_path() / "share" / "runledger" / name;
}

}  // namespace base
