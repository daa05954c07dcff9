#include "daemons/worker/printed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/experiment.h"
#include "base/reduction_log.h"
#include "base/text.h"
#include "daemons/worker/file_bytes.h"

namespace daemons {
namespace {

namespace fs = std::filesystem;

struct LogFile {
  std::string name, text;
};

/// An experiment as a part of a file name.
std::string experiment_word(const std::string& experiment) {
  if (!base::names_experiment(experiment)) return "unknown";
  std::string word = experiment;
  std::replace_if(word.begin(), word.end(), [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20; }, '_');
  return word;
}

/// The script's name without its last extension; of a template, that of the script it is filled to.
std::string script_stem(const AttemptPlan& plan) {
  fs::path name = fs::path(plan.script_path).filename();
  if (name.extension() == ".template") name = name.stem();
  return name.stem();
}

std::vector<LogFile> log_files(const AttemptPlan& plan, const Printed& printed) {
  switch (plan.contract) {
    case schema::Contract::ISIS:
      return {{fmt::format("RB_{}_Run_{}_Script.out", experiment_word(plan.experiment), plan.run_words()), printed.all.text()}};
    case schema::Contract::SNS: {
      std::string data_file = plan.inputs.empty() ? script_stem(plan) : fs::path(path_bytes(plan.inputs.front().path)).filename().string();
      return {{data_file + ".log", printed.output.text()}, {data_file + ".err", printed.errors.text()}};
    }
    case schema::Contract::FIA:
      return {{script_stem(plan) + ".log", printed.all.text()}};
    default:
      return {};
  }
}

/// Why it could not be written, as errno has it; 0 = it was.
int write_new(int folder, const LogFile& file) {
  OpenFile open(openat(folder, file.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!open.is_open()) return errno;
  std::string_view left = file.text;
  while (!left.empty()) {
    ssize_t size = ::write(open.get(), left.data(), left.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    left.remove_prefix(static_cast<size_t>(size));
  }
  return 0;
}

}  // namespace

bool keeps_streams_apart(const AttemptPlan& plan) { return plan.contract == schema::Contract::SNS || plan.stderr_fails; }

std::vector<std::string> write_log_files(const AttemptPlan& plan, const Printed& printed, const std::string& directory) {
  std::vector<std::string> remarks;
  std::string path = fmt::format("{}/{}", directory, base::kReductionLogFolder);
  mkdir(path.c_str(), 0777);
  OpenFile folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  for (const LogFile& file : log_files(plan, printed)) {
    int error = folder.is_open() ? write_new(folder.get(), file) : ENOTDIR;
    if (error == 0) continue;
    remarks.push_back(fmt::format("{}/{} could not be written: {}; what the script printed is in the record", base::kReductionLogFolder,
                                  base::to_utf8(file.name), strerror(error)));
  }
  return remarks;
}

}  // namespace daemons
