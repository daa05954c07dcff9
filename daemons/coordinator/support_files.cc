#include "daemons/coordinator/support_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/text.h"
#include "ledger/canonical.h"
#include "schema/document.capnp.h"
#include "scripts/file_bytes.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;
using ledger::view;
using scripts::Place;

constexpr int64_t kUnsettledNs = 2'000'000'000;  // a file that changed this shortly before may change again without a sign of it
constexpr size_t kMostFiles = 64;                // of one run, as the ledger takes them
constexpr size_t kLongestPathBytes = 4096;

/// Keys and passwords: nobody but the owner may read them. For root, who may read all, what is not for everybody.
bool is_private(const Place& place) { return (place.mode & (geteuid() == 0 ? S_IROTH : S_IROTH | S_IRGRP)) == 0; }

struct Hashed {
  FileContent content;
  Place place;
};

/// Of a file too large to be kept: only its hash.
base::Result<Hashed> hash_large(const std::string& path) {
  auto fault = [&](Code code, std::string_view what) { return Status(code, fmt::format("{}: {}", path, what)); };
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return fault(errno == ENOENT ? Code::kNotFound : Code::kUnavailable, std::strerror(errno));
  struct Closer {
    int descriptor;
    ~Closer() { close(descriptor); }
  } closer{descriptor};
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return fault(Code::kUnavailable, std::strerror(errno));
  const Place before = scripts::place_of(status);
  base::Sha256Stream hash;
  std::string buffer(1 << 20, '\0');
  for (;;) {
    const ssize_t size = read(descriptor, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fault(Code::kUnavailable, std::strerror(errno));
    if (size == 0) break;
    hash.update(buffer.data(), static_cast<size_t>(size));
  }
  if (fstat(descriptor, &status) != 0) return fault(Code::kUnavailable, std::strerror(errno));
  if (scripts::place_of(status) != before) return fault(Code::kUnavailable, "it is being written to");
  return Hashed{{hash.finish(), before.size_bytes, false, nullptr}, before};
}

base::Result<Hashed> read_whole(const std::string& path) {
  auto file = scripts::read_file(path, FileContents::kLargestKeptBytes);
  if (!file.is_ok()) return file.status();
  auto bytes = std::make_shared<const std::string>(std::move(file->bytes));
  return Hashed{{base::sha256(*bytes), bytes->size(), true, bytes}, file->place};
}

/// Looks through the values of one run.
class Search {
 public:
  Search(const SupportQuestion& question, FileContents& files, UrlContents& urls) : question_(question), files_(files), urls_(urls) {
    for (const std::string& path : question.raw_paths) {
      const Place place = scripts::look_at(path.c_str());
      if (place.kind == Place::Kind::kFile) raw_.insert({place.device, place.inode});
    }
  }

  void look_into(schema::ResolvedVariable::Reader variable) {
    const auto value = nlohmann::json::parse(view(variable.getValue()), nullptr, false);
    variable_ = variable;
    if (value.is_string()) {
      take_path(value.get_ref<const std::string&>());
    } else if (value.is_array()) {
      for (const auto& part : value) {
        if (part.is_string()) take_path(part.get_ref<const std::string&>());
      }
    } else if (value.is_object() && value.contains("url") && value["url"].is_string()) {
      const bool has_default = value.contains("default") && value["default"].is_string();
      take_url(value["url"].get_ref<const std::string&>(), has_default ? value["default"].get<std::string>() : std::string());
    }
  }
  NamedFiles take_found() { return std::move(found_); }

 private:
  /// The regular file that a value names; empty where it names none.
  std::string file_named(const std::string& value) const {
    if (value.empty() || value.size() > kLongestPathBytes || value.find('\0') != std::string::npos) return {};
    const std::filesystem::path folder = std::filesystem::path(question_.script_folder).lexically_normal();
    const std::filesystem::path path = (folder / value).lexically_normal();
    if (value.front() != '/' && !path.string().starts_with((folder / "").string())) return {};  // above the script's folder
    const Place place = scripts::look_at(path.c_str());
    if (place.kind != Place::Kind::kFile || is_private(place) || raw_.contains({place.device, place.inode})) return {};
    return path.string();
  }
  bool is_below_script(const std::string& path) const { return path.starts_with((std::filesystem::path(question_.script_folder).lexically_normal() / "").string()); }
  /// Somebody gave it who was not to set it.
  bool is_given_by_others() const {
    return variable_.getRule() == schema::ResolvedVariable::Rule::GIVEN && (question_.trusted_request == 0 || variable_.getSetSeq() != question_.trusted_request);
  }

  bool take_file(const std::string& path) {
    auto content = files_.get(path);
    if (!content.is_ok()) {
      miss(content.status().message());
      return false;
    }
    if (is_given_by_others() && !is_below_script(path)) {
      content->kept = false;
      content->bytes = nullptr;
    }
    add(path, std::move(*content));
    return true;
  }
  void take_path(const std::string& value) {
    if (const std::string path = file_named(value); !path.empty()) take_file(path);
  }

  void take_url(const std::string& url, const std::string& otherwise) {
    auto fetched = urls_.get(url, question_.urls);
    if (fetched.is_ok()) return add(url, {base::sha256(**fetched), (*fetched)->size(), true, *fetched});
    if (const std::string path = otherwise.starts_with('/') ? "" : file_named(otherwise); !path.empty()) {
      take_file(path);
      return;
    }
    miss(otherwise.empty() ? fetched.status().message()
                           : fmt::format("{}; and there is no file {} beside the script", fetched.status().message(), base::printable(otherwise)));
  }

  void add(std::string path, FileContent content) {
    const std::string name(view(variable_.getName()));
    const auto is_known = [&](const NamedFile& file) { return file.group == variable_.getGroup() && file.variable == name && file.path == path; };
    if (std::any_of(found_.files.begin(), found_.files.end(), is_known)) return;
    if (found_.files.size() == kMostFiles) {
      if (found_.missing.empty()) miss(fmt::format("{}: the variables name more than {} files, the most that are taken", path, kMostFiles));
      return;
    }
    found_.files.push_back({variable_.getGroup(), name, std::move(path), std::move(content)});
  }
  void miss(const std::string& what) { found_.missing.push_back(fmt::format("{} names a file that cannot be had: {}", view(variable_.getName()), what)); }

  const SupportQuestion& question_;
  FileContents& files_;
  UrlContents& urls_;
  std::set<std::pair<uint64_t, uint64_t>> raw_;  // by device and inode
  schema::ResolvedVariable::Reader variable_;
  NamedFiles found_;
};

}  // namespace

base::Result<FileContent> FileContents::get(const std::string& path, bool with_bytes) {
  const Place place = scripts::look_at(path.c_str());
  {
    std::lock_guard lock(mutex_);
    if (auto found = known_.find(path); found != known_.end()) {
      if (found->second.place == place && !(with_bytes && found->second.content.kept)) return found->second.content;
    }
  }
  const int64_t began_ns = clock_.now_ns();
  auto read = place.kind == Place::Kind::kFile && place.size_bytes > kLargestKeptBytes ? hash_large(path) : read_whole(path);
  if (!read.is_ok()) return read.status();
  if (is_private(read->place)) return Status(Code::kPermissionDenied, fmt::format("{}: only its owner may read it", path));
  if (std::max(read->place.modified_ns, read->place.changed_ns) < began_ns - kUnsettledNs) {
    std::lock_guard lock(mutex_);
    if (known_.size() >= kMostRemembered) known_.clear();
    FileContent without_bytes = read->content;
    without_bytes.bytes = nullptr;
    known_.insert_or_assign(path, Known{read->place, std::move(without_bytes)});
  }
  return std::move(read->content);
}

NamedFiles find_named_files(const SupportQuestion& question, FileContents& files, UrlContents& urls) {
  if (question.variables.empty()) return {};
  ledger::Row<schema::VariableSet> set(question.variables);
  Search search(question, files, urls);
  for (auto variable : set.get().getVariables()) search.look_into(variable);
  return search.take_found();
}

}  // namespace daemons
