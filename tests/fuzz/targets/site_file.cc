// Any text is a site.toml: it is read and checked, or refused with the place.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "site/site.h"

namespace {

/// A folder with a site.toml, removed at the end.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / "runledger-fuzz-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  void write(const uint8_t* data, size_t size) const {
    FILE* file = std::fopen((path_ + "/site.toml").c_str(), "wb");
    if (file == nullptr || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) std::abort();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  folder.write(data, size);
  const auto site = site::load(folder.path());
  if (!site.is_ok() && site.status().message().empty()) std::abort();
  return 0;
}
