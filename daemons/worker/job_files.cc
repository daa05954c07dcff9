#include "daemons/worker/job_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/sha256.h"
#include "base/text.h"
#include "daemons/worker/output_folder.h"
#include "ledger/canonical.h"
#include "schema/document.capnp.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;
namespace fs = std::filesystem;

/// A JSON string of the bytes as they are: a path that is no UTF-8 arrives in Python as the same bytes (surrogateescape).
std::string json_text(std::string_view bytes) {
  std::string text = "\"";
  for (char c : bytes) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text + '"';
}

template <typename List, typename Write>
std::string joined(const List& list, Write write) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "" : ",") + write(entry);
  return text;
}

std::string_view contract_name(schema::Contract contract) {
  switch (contract) {
    case schema::Contract::ISIS:
      return "isis";
    case schema::Contract::SNS:
      return "sns";
    default:
      return "unset";
  }
}

Status trouble(const std::string& path, std::string_view what) {
  return {Code::kUnavailable, fmt::format("{}: {}: {}", base::to_utf8(path), what, strerror(errno))};
}

Status write_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file.good() ? Status() : trouble(path, "cannot be written");
}

/// A file name that stays in its folder.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

base::Result<std::string> variables_json(const std::string& document) {
  if (document.empty()) return std::string();
  auto set = ledger::Row<schema::VariableSet>::parse(document, "the set of variables");
  if (!set.is_ok()) return set.status();
  return joined(set->get().getVariables(), [](schema::ResolvedVariable::Reader variable) {
    bool standard = variable.getGroup() == schema::Variable::Group::STANDARD;
    std::string value(ledger::view(variable.getValue()));
    return fmt::format(R"({{"group":"{}","name":{},"value":{}}})", standard ? "standard" : "advanced",
                       json_text(ledger::view(variable.getName())), value.empty() ? "null" : value);
  });
}

std::string changed(const PlannedInput& input, std::string_view how) {
  return fmt::format("{}: {} since it was recorded; reduce the run again once the new bytes are known", base::printable(input.path),
                     how);
}

base::Result<std::string> hash_of_file(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return trouble(path, "cannot be read");
  base::Sha256Stream hash;
  std::vector<char> buffer(1u << 20);
  ssize_t size;
  while ((size = ::read(fd, buffer.data(), buffer.size())) > 0) hash.update(buffer.data(), static_cast<size_t>(size));
  int error = errno;
  ::close(fd);
  errno = error;
  if (size < 0) return trouble(path, "cannot be read");
  return std::string(base::as_bytes(hash.finish()));
}

std::string problem_of(const PlannedInput& input) {
  std::string path = path_bytes(input.path);
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return fmt::format("{}: the raw file is not to be had: {}; bring it back and reduce the run again", base::printable(input.path),
                       strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return changed(input, "it has become something else than a file");
  if (static_cast<uint64_t>(info.st_size) != input.size_bytes) {
    return changed(input, fmt::format("its size has changed from {} to {} bytes", input.size_bytes, info.st_size));
  }
  int64_t modified = static_cast<int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (modified == input.modified_at) return "";
  auto found = hash_of_file(path);
  if (!found.is_ok()) return found.status().message();
  return *found == input.sha256 ? "" : changed(input, "its bytes have changed");
}

}  // namespace

std::string path_bytes(const std::string& recorded) {
  struct stat info {};
  if (recorded.find("\\x") == recorded.npos || lstat(recorded.c_str(), &info) == 0) return recorded;
  std::string bytes;
  for (size_t i = 0; i < recorded.size(); ++i) {
    auto digits = recorded.compare(i, 2, "\\x") == 0 ? base::from_hex(recorded.substr(i + 2, 2)) : std::nullopt;
    if (digits && digits->size() == 1) {
      bytes += *digits;
      i += 3;
    } else {
      bytes += recorded[i];
    }
  }
  return lstat(bytes.c_str(), &info) == 0 ? bytes : recorded;
}

std::string input_problem(const std::vector<PlannedInput>& inputs) {
  for (const PlannedInput& input : inputs) {
    if (std::string problem = problem_of(input); !problem.empty()) return problem;
  }
  return {};
}

Status write_job_files(const JobFolders& folders, const AttemptPlan& plan, const CapturedFiles& files) {
  if (Status removed = remove_folder(folders.root); !removed.is_ok()) return removed;
  std::error_code error;
  fs::create_directories(folders.root, error);
  for (const std::string& folder : {folders.work(), folders.home(), folders.tmp(), folders.script()}) {
    if (!fs::create_directory(folder, error)) {
      return {Code::kUnavailable, fmt::format("{}: cannot be made: {}", folder, error.message())};
    }
  }
  std::string name = fs::path(plan.script_path).filename();
  if (!is_plain_name(name))
    return {Code::kInvalidArgument, fmt::format("{}: is no name for a script", base::printable(plan.script_path))};
  if (Status written = write_file(folders.script() + "/" + name, files.script); !written.is_ok()) return written;
  for (size_t i = 0; i < plan.siblings.size(); ++i) {
    const std::string& sibling = plan.siblings[i].name;
    if (!is_plain_name(sibling) || sibling == name) {
      return {Code::kInvalidArgument, fmt::format("{}: is no name for a file beside {}", base::printable(sibling), name)};
    }
    if (Status written = write_file(folders.script() + "/" + sibling, files.siblings[i]); !written.is_ok()) return written;
  }
  auto variables = variables_json(files.variables);
  if (!variables.is_ok()) return variables.status();

  std::string siblings = joined(plan.siblings, [&](const auto& sibling) {
    return json_text(sibling.name) + ":" + json_text(folders.script() + "/" + sibling.name);
  });
  std::string inputs = joined(plan.inputs, [](const auto& input) { return json_text(path_bytes(input.path)); });
  std::string job = fmt::format(
      R"({{"contract":"{}","script":{},"script_path":{},"siblings":{{{}}},"input_files":[{}],"output_directory":{},"variables":[{}],"run_number":{},"result":{}}})",
      contract_name(plan.contract), json_text(folders.script() + "/" + name), json_text(plan.script_path), siblings, inputs,
      json_text(plan.staging() + "/"), *variables, plan.run_number, json_text(folders.result_file()));
  return write_file(folders.job_file(), job);
}

std::string script_problem(const JobFolders& folders, const AttemptPlan& plan) {
  auto problem_of_copy = [&](const std::string& name, const std::string& sha256) -> std::string {
    auto found = hash_of_file(folders.script() + "/" + name);
    if (!found.is_ok()) return found.status().message();
    if (*found == sha256) return {};
    return fmt::format("{}/{}: is not the bytes recorded any more; something else writes into the worker's scratch folder, the script was not run",
                       folders.script(), name);
  };
  if (std::string problem = problem_of_copy(fs::path(plan.script_path).filename(), plan.script_sha256); !problem.empty()) return problem;
  for (const AttemptPlan::Sibling& sibling : plan.siblings) {
    if (std::string problem = problem_of_copy(sibling.name, sibling.sha256); !problem.empty()) return problem;
  }
  return {};
}

std::optional<std::string> read_small_file(const std::string& path, size_t limit) {
  // The script could have put anything there: no link is followed, nothing is waited for.
  int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct stat info {};
  std::optional<std::string> content;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && static_cast<uint64_t>(info.st_size) <= limit) {
    content.emplace(static_cast<size_t>(info.st_size), '\0');
    ssize_t size = ::read(fd, content->data(), content->size());
    content->resize(size < 0 ? 0 : static_cast<size_t>(size));
  }
  ::close(fd);
  return content;
}

}  // namespace daemons
