#include <fmt/format.h>

#include "base/counted.h"
#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/progress.h"

namespace tools {
namespace {

std::vector<std::string> texts_of(capnp::List<capnp::Text>::Reader list) {
  std::vector<std::string> texts;
  for (auto text : list) texts.emplace_back(text_of(text));
  return texts;
}

Json report_json(schema::VerifyReport::Reader report) {
  return {{"ok", report.getOk()},
          {"events", report.getEvents()},
          {"trusted", report.getTrusted()},
          {"root", report.getRoot().size() == 0 ? Json() : Json(base::hex(bytes_of(report.getRoot())))},
          {"first_bad", report.getFirstBad() == 0 ? Json() : Json(report.getFirstBad())},
          {"findings", texts_of(report.getFindings())},
          {"finding_count", report.getFindingCount()},
          {"losses", texts_of(report.getLosses())}};
}

void print_report(Context& context, schema::VerifyReport::Reader report) {
  for (auto loss : report.getLosses()) context.out << "stated loss: " << printable_lines(text_of(loss)) << '\n';
  const std::string root = base::hex(bytes_of(report.getRoot()));
  if (report.getOk() && report.getTrusted() > 0) {
    context.out << fmt::format("events {} to {} verified, those before taken from the checkpoint of {}, root {}\n", report.getTrusted() + 1, report.getEvents(),
                               base::counted(report.getTrusted(), "event"), root);
    return;
  }
  if (report.getOk()) {
    context.out << fmt::format("{} verified, root {}\n", base::counted(report.getEvents(), "event"), root);
    return;
  }
  for (auto finding : report.getFindings()) context.out << printable_lines(text_of(finding)) << '\n';
  if (report.getFindingCount() > report.getFindings().size()) {
    context.out << fmt::format("and {} more\n", report.getFindingCount() - report.getFindings().size());
  }
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
    context.print(report_json(report));
  } else {
    print_report(context, report);
  }
  return report.getOk() ? kDone : kNothingFound;
}

}  // namespace tools
