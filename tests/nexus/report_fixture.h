// Reports on files, as the tests of nexus/ ask for them.
#pragma once

#include <capnp/message.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "nexus/raw_file.h"
#include "tests/support/temporary_folder.h"

namespace nexus_test {

using support::TemporaryFolder;

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
