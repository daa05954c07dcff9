// Reports on files, as the tests of nexus/ ask for them.
#pragma once

#include <capnp/message.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "nexus/raw_file.h"

namespace nexus_test {

/// A folder that goes with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "runledger-nexus-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::string write(std::string_view name, std::string_view bytes) const {
    std::string path = (path_ / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  std::filesystem::path path_;
};

/// A report and the questions tests ask of it.
class Report {
 public:
  explicit Report(std::string_view path, std::string_view root = {}, const nexus::ExamineOptions& options = {}) {
    nexus::examine(path, root, options, message_.initRoot<schema::RawFileReport>());
  }
  explicit Report(schema::RawFileReport::Reader report) { message_.setRoot(report); }

  schema::RawFileReport::Reader reader() { return message_.getRoot<schema::RawFileReport>().asReader(); }
  schema::RunMetadata::Reader run() { return reader().getOutcome().getRun(); }

  /// "run", "not yet: CODE" or "refused: CODE".
  std::string outcome() {
    auto outcome = reader().getOutcome();
    if (outcome.isRun()) return "run";
    if (outcome.isNotYet()) return std::string("not yet: ") + outcome.getNotYet().getCode().cStr();
    return std::string("refused: ") + outcome.getRefused().getCode().cStr();
  }
  std::string reason() {
    auto outcome = reader().getOutcome();
    if (outcome.isRun()) return "";
    return outcome.isNotYet() ? outcome.getNotYet().getText().cStr() : outcome.getRefused().getText().cStr();
  }
  std::vector<std::string> problems() {
    std::vector<std::string> texts;
    for (auto problem : reader().getProblems()) texts.emplace_back(problem.cStr());
    return texts;
  }
  bool has_problem(std::string_view part) {
    auto texts = problems();
    return std::any_of(texts.begin(), texts.end(), [&](const auto& text) { return text.find(part) != text.npos; });
  }

 private:
  capnp::MallocMessageBuilder message_;
};

}  // namespace nexus_test
