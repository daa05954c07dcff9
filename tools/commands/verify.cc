#include <fmt/format.h>

#include "base/counted.h"
#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"

namespace tools {
namespace {

/// Says how far it is in one line of the terminal that messages go to.
class ShownProgress final : public schema::Progress::Server {
 public:
  explicit ShownProgress(std::ostream& err) : err_(err) {}
  ~ShownProgress() noexcept(false) {
    if (shown_) err_ << "\r\x1b[K" << std::flush;
  }
  kj::Promise<void> report(ReportContext context) override {
    auto params = context.getParams();
    const uint64_t done = params.getDone(), total = params.getTotal();
    shown_ = true;
    err_ << "\r\x1b[K" << printable_lines(text_of(params.getWhat()));
    if (total > 0) err_ << fmt::format(" {} %", done * 100 / total);
    if (total == 0 && done > 0) err_ << ' ' << done;
    err_ << std::flush;
    return kj::READY_NOW;
  }

 private:
  std::ostream& err_;
  bool shown_ = false;
};

class SilentProgress final : public schema::Progress::Server {
  kj::Promise<void> report(ReportContext) override { return kj::READY_NOW; }
};

schema::Progress::Client progress(Context& context) {
  if (context.terminal.is_tty && !context.options.json) return kj::heap<ShownProgress>(context.err);
  return kj::heap<SilentProgress>();
}

Json report_json(schema::VerifyReport::Reader report) {
  Json findings = Json::array();
  for (auto finding : report.getFindings()) findings.push_back(text_of(finding));
  return {{"ok", report.getOk()},
          {"events", report.getEvents()},
          {"root", report.getRoot().size() == 0 ? Json() : Json(base::hex(bytes_of(report.getRoot())))},
          {"first_bad", report.getFirstBad() == 0 ? Json() : Json(report.getFirstBad())},
          {"findings", std::move(findings)},
          {"finding_count", report.getFindingCount()}};
}

void print_report(Context& context, schema::VerifyReport::Reader report) {
  if (report.getOk()) {
    context.out << fmt::format("{} verified, root {}\n", base::counted(report.getEvents(), "event"), base::hex(bytes_of(report.getRoot())));
    return;
  }
  for (auto finding : report.getFindings()) context.out << printable_lines(text_of(finding)) << '\n';
  const uint64_t more = report.getFindingCount() - report.getFindings().size();
  if (more > 0 && more <= report.getFindingCount()) context.out << fmt::format("and {} more\n", more);
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
  request.setProgress(progress(context));
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
