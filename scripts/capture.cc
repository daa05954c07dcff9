#include "scripts/capture.h"

#include <dirent.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/counted.h"
#include "base/text.h"
#include "scripts/file_bytes.h"
#include "scripts/python_text.h"

namespace scripts {
namespace {

using base::Code;
using base::Status;

constexpr std::string_view kTemplateEnding = ".template";

std::string in_folder(const std::string& folder, std::string_view name) { return folder.empty() ? std::string(name) : folder + "/" + std::string(name); }

/// "a/b" of "a/b/c"; empty at the top.
std::string folder_of(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

/// The environment that the script's CONDA_ENV lines name; empty where there is none.
base::Result<std::string> named_conda_env(const PythonText& text, const std::string& path) {
  if (text.conda_envs.empty()) return std::string();
  if (text.conda_envs.size() > 1) {
    return Status(Code::kInvalidArgument, fmt::format("{}: CONDA_ENV is set to more than one name ({}); one line must say which", path,
                                                      base::printable(base::to_utf8(fmt::format("{}", fmt::join(text.conda_envs, ", ")), 200))));
  }
  const std::string& name = text.conda_envs.front();
  const auto is_plain = [](char byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || std::string_view("._+-").find(byte) != std::string_view::npos; };
  if (name.empty() || name.size() > 100 || name.starts_with('.') || !std::all_of(name.begin(), name.end(), is_plain)) {
    return Status(Code::kInvalidArgument, fmt::format("{}: CONDA_ENV = \"{}\" is no environment's name: letters, digits and ._+- are", path,
                                                      base::printable(base::to_utf8(name, 200))));
  }
  return name;
}

/// One capture. Names are those below the script's folder.
class Capture {
 public:
  Capture(const std::filesystem::path& path, schema::Contract contract) : path_(path), folder_(path.parent_path()), contract_(contract) {}

  Status run() {
    const std::string name = path_.filename().string();
    auto script = read_file(path_, kLargestFileBytes);
    if (!script.is_ok()) return script.status();
    places_[path_.string()] = script->place;
    const PythonText text = read_python(script->bytes);
    if (contract_ == schema::Contract::SNS) {
      auto env = named_conda_env(text, path_.string());
      if (!env.is_ok()) return env.status();
      captured_.conda_env = std::move(*env);
    }
    bytes_ = script->bytes.size();
    const base::Sha256 sha256 = base::sha256(script->bytes);
    captured_.script = {name, std::move(script->bytes), sha256};
    if (Status status = take_what_the_contract_asks_for(name); !status.is_ok()) return status;
    if (Status status = take_what_is_in(text, ""); !status.is_ok()) return status;
    for (; !unread_.empty(); unread_.pop_front()) {
      const std::string sibling = unread_.front();
      if (Status status = take_what_is_in(read_python(files_.at(sibling).bytes), folder_of(sibling)); !status.is_ok()) return status;
    }
    return {};
  }

  CapturedScript take_captured() {
    for (auto& [name, file] : files_) captured_.siblings.push_back(std::move(file));
    return std::move(captured_);
  }
  Places take_places() { return std::move(places_); }

 private:
  enum class Need { kImported, kNamed };
  using Folders = std::set<std::pair<uint64_t, uint64_t>>;  // by device and inode

  std::string path_of(const std::string& name) const { return folder_ / name; }

  /// What stands at a name; looked at once.
  Place look(const std::string& name) {
    std::string path = path_of(name);
    if (auto found = places_.find(path); found != places_.end()) return found->second;
    Place place = look_at(path.c_str());
    if (place.kind != Place::Kind::kFile) place = place.identity();
    return places_.emplace(std::move(path), place).first->second;
  }
  bool has(const std::string& name) const { return name == captured_.script.name || files_.contains(name); }

  Status take_what_the_contract_asks_for(const std::string& script) {
    if (contract_ == schema::Contract::ISIS) return take_if_there("reduce_vars.py");
    if (contract_ != schema::Contract::SNS || !script.starts_with("reduce_")) return {};
    const std::string instrument = script.substr(7, script.find('.') - 7);
    std::vector<std::string> names = {"sumRun_" + instrument + ".py"};
    if (script.ends_with(kTemplateEnding)) {
      names.push_back("reduce_" + instrument + "_default.py");
      names.push_back("reduce_" + instrument + ".py");
    }
    for (const std::string& name : names) {
      if (Status status = take_if_there(name); !status.is_ok()) return status;
    }
    return {};
  }

  Status take_what_is_in(const PythonText& text, const std::string& folder) {
    for (const ImportLine& line : text.imports) {
      if (Status status = take_import(line, folder); !status.is_ok()) return status;
      if (places_.size() > kMostPlaces) return too_many_places();
    }
    for (const std::string& name : text.quoted) {
      if (!base::is_utf8(name)) continue;
      if (Status status = take_named(in_folder(folder, name)); !status.is_ok()) return status;
    }
    if (text.cut) remark("it imports or names more than is looked for in one text; the rest of it was passed over");
    return places_.size() <= kMostPlaces ? Status() : too_many_places();
  }
  Status too_many_places() const {
    return {Code::kInvalidArgument, fmt::format("{}: it and what it imports name more than {} files, which no script does", path_.string(), kMostPlaces)};
  }

  /// `folder` is that of the text the line stands in.
  Status take_import(const ImportLine& line, const std::string& folder) {
    std::string from;
    if (line.level > 0) {
      from = folder;
      for (unsigned up = 1; up < line.level; ++up) {
        if (from.empty()) return {};  // above the script's folder
        from = folder_of(from);
      }
    }
    if (!base::is_utf8(line.module)) return {};
    std::optional<std::string> reached = from;
    for (size_t begin = 0; reached && begin < line.module.size();) {
      const size_t end = std::min(line.module.find('.', begin), line.module.size());
      auto next = take_module(*reached, line.module.substr(begin, end - begin));
      if (!next.is_ok()) return next.status();
      reached = std::move(*next);
      begin = end + 1;
    }
    if (!reached || whole_.contains(*reached)) return {};
    for (const std::string& name : line.names) {
      if (!base::is_utf8(name)) continue;
      if (auto taken = take_module(*reached, name); !taken.is_ok()) return taken.status();
    }
    return {};
  }

  /// Takes module `name` of `folder` as Python finds it: a package, else a file, else a folder without __init__.py. Answers the folder to look
  /// for its modules in; none where there is no more to find.
  base::Result<std::optional<std::string>> take_module(const std::string& folder, const std::string& name) {
    using Folder = std::optional<std::string>;
    const std::string path = in_folder(folder, name);
    if (path.size() > kLongestNameBytes) return Folder();
    const bool is_folder = look(path).kind == Place::Kind::kFolder;
    if (is_folder && is_needed_file(path + "/__init__.py")) {
      Folders entered;
      Status status = take_package(path, entered);
      return status.is_ok() ? base::Result<Folder>(path) : status;
    }
    if (has(path + ".py") || is_needed_file(path + ".py")) {
      Status status = take(path + ".py", Need::kImported);
      return status.is_ok() ? base::Result<Folder>(Folder()) : status;
    }
    return is_folder ? Folder(path) : Folder();
  }

  /// Something is there that an import would read, or would if it were let.
  bool is_needed_file(const std::string& name) {
    const Place place = look(name);
    return place.kind == Place::Kind::kFile || place.is_hidden();
  }

  Status take_if_there(const std::string& name) { return is_needed_file(name) ? take(name, Need::kImported) : Status(); }

  Status take_named(const std::string& name) {
    if (has(name) || look(name).kind != Place::Kind::kFile) return {};
    return take(name, Need::kNamed);
  }

  /// All modules of a package, and the other files of its folders: code in it finds them in ways no line tells. `entered`: on the way here.
  Status take_package(const std::string& folder, Folders& entered) {
    if (whole_.contains(folder)) return {};
    if (static_cast<size_t>(std::count(folder.begin(), folder.end(), '/')) >= kMostPackageLevels) {
      return Status(Code::kInvalidArgument, fmt::format("{}: a package more than {} folders deep is not taken; is it a circle of links?", path_of(folder), kMostPackageLevels));
    }
    const Place here = look_at(path_of(folder).c_str());
    if (!entered.insert({here.device, here.inode}).second) return {};  // a link to where we have been
    whole_.insert(folder);
    places_[path_of(folder)] = here;
    auto names = names_in(folder);
    if (!names.is_ok()) return names.status();
    for (const std::string& entry : *names) {
      const std::string name = in_folder(folder, entry);
      const Place place = look(name);
      Status status;
      if (place.kind == Place::Kind::kFolder) {
        if (is_needed_file(name + "/__init__.py")) status = take_package(name, entered);
      } else if (entry.ends_with(".py")) {
        status = take_if_there(name);
      } else {
        status = take_named(name);
      }
      if (!status.is_ok()) return status;
    }
    return {};
  }

  /// The entries of a package's folder that can matter, sorted.
  base::Result<std::vector<std::string>> names_in(const std::string& folder) {
    const std::string path = path_of(folder);
    struct Closer {
      void operator()(DIR* folder) const { closedir(folder); }
    };
    std::unique_ptr<DIR, Closer> open(opendir(path.c_str()));
    if (!open) return Status(Code::kUnavailable, fmt::format("{}: {}", path, std::strerror(errno)));
    std::vector<std::string> names;
    size_t seen = 0;
    for (errno = 0; const dirent* entry = readdir(open.get()); errno = 0) {
      if (++seen > kMostPackageNames) {
        return Status(Code::kInvalidArgument, fmt::format("{}: a package with more than {} files in one folder is not taken", path, kMostPackageNames));
      }
      const std::string_view name = entry->d_name;
      if (name.starts_with('.') || name == "__pycache__" || name.ends_with(".pyc") || name.ends_with(".pyo")) continue;
      if (base::is_utf8(name)) {
        names.emplace_back(name);
      } else {
        remark(fmt::format("{}/{} was not taken: its name is not UTF-8", folder, base::to_utf8(name)));
      }
    }
    if (errno != 0) return Status(Code::kUnavailable, fmt::format("{}: {}", path, std::strerror(errno)));
    std::sort(names.begin(), names.end());
    return names;
  }

  Status take(const std::string& name, Need need) {
    if (has(name)) return {};
    const std::string path = path_of(name);
    auto file = read_file(path, need == Need::kNamed ? kLargestNamedFileBytes : kLargestFileBytes);
    if (!file.is_ok() && need == Need::kNamed) {
      remark(fmt::format("{} is named, but was not taken: {}", name, file.status().message()));
      return {};
    }
    if (!file.is_ok()) return {file.status().code() == Code::kNotFound ? Code::kUnavailable : file.status().code(), file.status().message()};
    places_[path] = file->place;
    bytes_ += file->bytes.size();
    if (files_.size() == kMostSiblings) {
      return {Code::kInvalidArgument, fmt::format("{}: it needs more than {} files of its folder ({} is one too many)", path_.string(), kMostSiblings, name)};
    }
    if (bytes_ > kMostBytes) {
      return {Code::kInvalidArgument, fmt::format("{}: it and the files of its folder that it needs are over {} MiB together (with {})", path_.string(), kMostBytes >> 20, name)};
    }
    const base::Sha256 sha256 = base::sha256(file->bytes);
    files_.emplace(name, CapturedFile{name, std::move(file->bytes), sha256});
    if (name.ends_with(".py")) unread_.push_back(name);
    return {};
  }

  void remark(std::string sentence) {
    auto& remarks = captured_.remarks;
    if (std::find(remarks.begin(), remarks.end(), sentence) == remarks.end()) remarks.push_back(std::move(sentence));
  }

  static constexpr size_t kLongestNameBytes = 1000;

  const std::filesystem::path path_, folder_;
  const schema::Contract contract_;
  CapturedScript captured_;
  std::map<std::string, CapturedFile> files_;
  std::deque<std::string> unread_;
  std::set<std::string> whole_;  // packages
  Places places_;
  uint64_t bytes_ = 0;
};

}  // namespace

uint64_t CapturedScript::size_bytes() const {
  uint64_t size = script.bytes.size();
  for (const CapturedFile& file : siblings) size += file.bytes.size();
  return size;
}

base::Result<CapturedScript> capture(const std::filesystem::path& path, schema::Contract contract, Places* places) {
  Capture capture(path, contract);
  if (Status status = capture.run(); !status.is_ok()) return status;
  if (places) *places = capture.take_places();
  return capture.take_captured();
}

base::Result<std::string> conda_env_of(std::string_view text, const std::filesystem::path& path) {
  return named_conda_env(read_python(text), path.string());
}

}  // namespace scripts
