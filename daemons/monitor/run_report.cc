#include "daemons/monitor/run_report.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "base/sha256.h"
#include "base/text.h"
#include "daemons/monitor/file_name.h"

namespace daemons {
namespace {

constexpr size_t kProblemsMost = 40;        // an event stays under 64 KiB
constexpr size_t kProblemBytesMost = 500;
constexpr size_t kReasonBytesMost = 2000;

std::string_view view(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }
std::string_view view(capnp::Data::Reader data) { return {reinterpret_cast<const char*>(data.begin()), data.size()}; }

void append(std::string& bytes, std::string_view part) { bytes += fmt::format("{}:{}", part.size(), part); }

/// The same observation of the same file has the same id, whoever makes it and however often.
std::string command_id(std::string_view what, const std::string& instrument, const std::string& path, uint64_t size_bytes,
                       int64_t modified_ns, std::string_view sha256, std::string_view code, uint64_t recorded_seq) {
  std::string content;
  for (std::string_view part : {what, std::string_view(instrument), std::string_view(path), sha256, code}) append(content, part);
  append(content, fmt::format("{} {} {}", size_bytes, modified_ns, recorded_seq));
  return "monitord/" + base::hex(base::sha256(content));
}

std::string name_of(const std::string& path) { return base::to_utf8(path.substr(path.rfind('/') + 1), 300); }

void set_reason(schema::Reason::Builder reason, std::string_view code, std::string_view text) {
  reason.setCode(std::string(code).c_str());
  reason.setText(base::to_utf8(text, kReasonBytesMost).c_str());
}

/// What is odd about the number inside, seen from the one in the name.
std::optional<std::string> number_problem(schema::IntegerField::Reader inside, uint64_t in_name) {
  if (inside.getKnown()) {
    if (inside.getValue() >= 0 && static_cast<uint64_t>(inside.getValue()) == in_name) return std::nullopt;
    return fmt::format("the file says run {}, its name says {}", inside.getValue(), in_name);
  }
  if (inside.getRaw().size() == 0) return std::nullopt;  // many facilities leave it to the name
  return fmt::format("the file's own run number is \"{}\", which is none; {} is from its name",
                     base::printable(base::to_utf8(view(inside.getRaw()), 100)), in_name);
}

std::optional<std::string> instrument_problem(schema::TextField::Reader inside, const std::string& instrument) {
  if (!inside.getKnown() || inside.getValue().size() == 0 || same_instrument_name(view(inside.getValue()), instrument)) return std::nullopt;
  return fmt::format("the file says instrument {}, it lies in a raw folder of {}", base::printable(base::to_utf8(view(inside.getValue()), 100)),
                     instrument);
}

void fill_refusal(schema::RawFileReport::Reader report, const std::string& instrument, const Examination& examination,
                  std::string_view code, std::string_view text, schema::Command::Builder command) {
  auto refused = command.getBody().initRefuseFile();
  refused.setInstrument(instrument.c_str());
  refused.setFile(report.getFile());
  refused.getFile().setPath(base::to_utf8(examination.path).c_str());
  refused.setRunNumber(examination.run_number);
  set_reason(refused.initReason(), code, text);
  command.setId(command_id("refuse", instrument, examination.path, report.getFile().getSizeBytes(), report.getFile().getModifiedAt(),
                           view(report.getFile().getSha256()), code, 0)
                    .c_str());
}

}  // namespace

Verdict verdict_of(schema::RawFileReport::Reader report) {
  Verdict verdict;
  verdict.read.size_bytes = report.getFile().getSizeBytes();
  verdict.read.modified_ns = report.getFile().getModifiedAt();
  verdict.read.inode = report.getInode();
  auto outcome = report.getOutcome();
  auto take_reason = [&](schema::Reason::Reader reason) {
    verdict.code = view(reason.getCode());
    verdict.text = view(reason.getText());
  };
  switch (outcome.which()) {
    case schema::RawFileReport::Outcome::RUN: verdict.kind = Verdict::Kind::kRun; break;
    case schema::RawFileReport::Outcome::REFUSED:
      verdict.kind = Verdict::Kind::kRefused;
      take_reason(outcome.getRefused());
      break;
    default: take_reason(outcome.getNotYet()); break;
  }
  return verdict;
}

void describe(schema::RawFileReport::Reader report, const std::string& instrument, const Examination& examination,
              uint64_t recorded_seq, schema::Command::Builder command) {
  auto outcome = report.getOutcome();
  std::string name = name_of(examination.path);
  if (outcome.isRefused()) {
    auto reason = outcome.getRefused();
    return fill_refusal(report, instrument, examination, view(reason.getCode()), fmt::format("{} {}: {}", instrument, name, view(reason.getText())),
                        command);
  }
  auto metadata = outcome.getRun();
  auto inside = metadata.getRunNumber();
  uint64_t number = examination.run_number;
  bool inside_serves = inside.getKnown() && inside.getValue() > 0 && static_cast<uint64_t>(inside.getValue()) <= kLargestRunNumber;
  if (number == 0 && inside_serves) number = static_cast<uint64_t>(inside.getValue());
  if (number == 0) {
    std::string raw = inside.getRaw().size() > 0 ? fmt::format(" (it says \"{}\")", base::printable(base::to_utf8(view(inside.getRaw()), 100))) : "";
    return fill_refusal(report, instrument, examination, "no_run_number",
                        fmt::format("{} {}: no run number in its name nor inside{}; rename it, or set the instrument's run number pattern",
                                    instrument, name, raw),
                        command);
  }

  std::vector<std::string> problems;
  if (examination.run_number != 0) {
    if (auto problem = number_problem(inside, number)) problems.push_back(*problem);
  }
  if (auto problem = instrument_problem(metadata.getInstrument(), instrument)) problems.push_back(*problem);
  for (auto problem : report.getProblems()) problems.emplace_back(view(problem));
  if (problems.size() > kProblemsMost) {
    std::string rest = fmt::format("and {} more problems", problems.size() - (kProblemsMost - 1));
    problems.resize(kProblemsMost - 1);
    problems.push_back(std::move(rest));
  }

  auto detected = command.getBody().initDetectRun();
  detected.initRun().setInstrument(instrument.c_str());
  detected.getRun().setRunNumber(number);
  detected.initFiles(1).setWithCaveats(0, report.getFile());
  detected.getFiles()[0].setPath(base::to_utf8(examination.path).c_str());
  detected.setMetadata(metadata);
  detected.setSource(source_name(examination.source));
  auto list = detected.initProblems(static_cast<unsigned>(problems.size()));
  for (unsigned i = 0; i < list.size(); ++i) list.set(i, base::to_utf8(problems[i], kProblemBytesMost).c_str());
  command.setId(command_id("detect", instrument, examination.path, report.getFile().getSizeBytes(), report.getFile().getModifiedAt(),
                           view(report.getFile().getSha256()), "", recorded_seq)
                    .c_str());
}

void describe(const GivenUp& file, const std::string& instrument, schema::Command::Builder command) {
  auto refused = command.getBody().initRefuseFile();
  refused.setInstrument(instrument.c_str());
  auto raw = refused.initFile();
  raw.setPath(base::to_utf8(file.path).c_str());
  raw.setSizeBytes(file.stamp.size_bytes);
  raw.setModifiedAt(file.stamp.modified_ns);
  refused.setRunNumber(file.run_number);
  set_reason(refused.initReason(), file.code,
             fmt::format("{} {}: {} (unchanged at {} bytes for {} s)", instrument, name_of(file.path), file.text,
                         file.stamp.size_bytes, file.unchanged_ns / 1'000'000'000));
  command.setId(command_id("refuse", instrument, file.path, file.stamp.size_bytes, file.stamp.modified_ns, "", file.code, 0).c_str());
}

}  // namespace daemons
