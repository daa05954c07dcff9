#include "nexus/report_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/time.h"

namespace nexus {
namespace {

class Lines {
 public:
  void add(std::string_view name, std::string_view value) { text_ += fmt::format("{:<15}{}\n", name, base::printable(value)); }

  template <typename Field>
  void add_field(std::string_view name, Field field, const std::string& value) {
    if (field.getKnown()) {
      add(name, value);
    } else if (field.getPath().size() > 0) {
      add(name, fmt::format("unknown (\"{}\")", field.getRaw().cStr()));
    } else {
      add(name, "unknown");
    }
  }
  void add_text(std::string_view name, schema::TextField::Reader field) { add_field(name, field, field.getValue().cStr()); }
  void add_integer(std::string_view name, schema::IntegerField::Reader field) {
    add_field(name, field, fmt::format("{}", field.getValue()));
  }
  void add_real(std::string_view name, schema::RealField::Reader field) {
    add_field(name, field, fmt::format("{} {}", field.getValue(), field.getUnit().cStr()));
  }
  void add_time(std::string_view name, schema::TimeField::Reader field) {
    add_field(name, field, base::iso_time(field.getValue(), field.getZoned()) + (field.getZoned() ? "" : " (zone not said)"));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_run(schema::RunMetadata::Reader run, Lines& lines) {
  lines.add("outcome", "a run");
  lines.add("entry", run.getEntryPath().cStr());
  lines.add_text("definition", run.getDefinition());
  lines.add_integer("run number", run.getRunNumber());
  lines.add_text("experiment", run.getExperiment());
  lines.add_text("title", run.getTitle());
  lines.add_text("instrument", run.getInstrument());
  lines.add_time("start", run.getStartTime());
  lines.add_time("end", run.getEndTime());
  lines.add_real("proton charge", run.getProtonCharge());
  lines.add_integer("raw frames", run.getRawFrames());
  lines.add_integer("good frames", run.getGoodFrames());
  lines.add_integer("total counts", run.getTotalCounts());
  lines.add_real("duration", run.getDuration());
  for (auto user : run.getUsers()) lines.add("user", user.cStr());
}

}  // namespace

std::string report_text(schema::RawFileReport::Reader report) {
  Lines lines;
  auto file = report.getFile();
  lines.add("file", file.getPath().cStr());
  lines.add("size", fmt::format("{} bytes", file.getSizeBytes()));
  if (file.getSha256().size() > 0) {
    auto hash = file.getSha256().asChars();
    lines.add("sha256", base::hex({hash.begin(), hash.size()}));
  }
  auto outcome = report.getOutcome();
  switch (outcome.which()) {
    case schema::RawFileReport::Outcome::NOT_YET:
      lines.add("outcome", fmt::format("not yet: {}", outcome.getNotYet().getCode().cStr()));
      lines.add("reason", outcome.getNotYet().getText().cStr());
      break;
    case schema::RawFileReport::Outcome::REFUSED:
      lines.add("outcome", fmt::format("refused: {}", outcome.getRefused().getCode().cStr()));
      lines.add("reason", outcome.getRefused().getText().cStr());
      break;
    case schema::RawFileReport::Outcome::RUN:
      add_run(outcome.getRun(), lines);
      break;
  }
  for (auto problem : report.getProblems()) lines.add("problem", problem.cStr());
  return lines.take();
}

}  // namespace nexus
