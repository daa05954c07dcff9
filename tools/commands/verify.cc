#include <fmt/format.h>

#include <algorithm>

#include "base/counted.h"
#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/progress.h"

namespace tools {
namespace {

/// Behind the findings that are counted stand losses the log states.
struct Sentences {
  std::vector<std::string> findings;
  std::vector<std::string> losses;
};

Sentences sentences_of(schema::VerifyReport::Reader report) {
  constexpr uint64_t kMostFindings = 100;
  const uint64_t findings = std::min(report.getFindingCount(), kMostFindings);
  Sentences sentences;
  for (auto text : report.getFindings()) {
    (sentences.findings.size() < findings ? sentences.findings : sentences.losses).emplace_back(text_of(text));
  }
  return sentences;
}

/// `from`: as asked. How many events a checkpoint spoke for, ledgerd does not say.
Json report_json(schema::VerifyReport::Reader report, uint64_t from) {
  Sentences sentences = sentences_of(report);
  return {{"ok", report.getOk()},
          {"events", report.getEvents()},
          {"trusted", from > 1 ? Json() : Json(0)},
          {"root", report.getRoot().size() == 0 ? Json() : Json(base::hex(bytes_of(report.getRoot())))},
          {"first_bad", report.getFirstBad() == 0 ? Json() : Json(report.getFirstBad())},
          {"findings", std::move(sentences.findings)},
          {"finding_count", report.getFindingCount()},
          {"losses", std::move(sentences.losses)}};
}

void print_report(Context& context, schema::VerifyReport::Reader report, uint64_t from) {
  const Sentences sentences = sentences_of(report);
  for (const std::string& loss : sentences.losses) context.out << "stated loss: " << printable_lines(loss) << '\n';
  if (report.getOk() && from > 1) {
    context.out << fmt::format("events {} to {} verified, those before taken from the last witnessed checkpoint before them, root {}\n", from, report.getEvents(),
                               base::hex(bytes_of(report.getRoot())));
    return;
  }
  if (report.getOk()) {
    context.out << fmt::format("{} verified, root {}\n", base::counted(report.getEvents(), "event"), base::hex(bytes_of(report.getRoot())));
    return;
  }
  for (const std::string& finding : sentences.findings) context.out << printable_lines(finding) << '\n';
  const uint64_t more = report.getFindingCount() - sentences.findings.size();
  if (more > 0) context.out << fmt::format("and {} more\n", more);
  context.out << fmt::format("NOT verified: {}{}\n", base::counted(report.getFindingCount(), "finding"),
                             report.getFirstBad() == 0 ? "" : fmt::format(", first bad event {}", report.getFirstBad()));
}

}  // namespace

base::Result<int> verify_running(Context& context, uint64_t from) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto auditor = ask(**client, (*client)->session().auditorRequest());
  if (!auditor.is_ok()) return auditor.status();
  auto request = auditor->getAuditor().verifyRequest();
  request.setFrom(from);
  request.setProgress(shown_progress(context));
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) {
    // A checkpoint that is not there is a mistake in the question, not a ledger that is not verified.
    const bool absent = answer.status().code() == base::Code::kNotFound;
    return absent ? base::Status(base::Code::kInvalidArgument, answer.status().message()) : answer.status();
  }
  auto report = answer->getReport();
  if (context.options.json) {
    context.print(report_json(report, from));
  } else {
    print_report(context, report, from);
  }
  return report.getOk() ? kDone : kNothingFound;
}

}  // namespace tools
