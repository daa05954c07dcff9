// runledger-verify-ledger: verifies the files of a ledger that nothing has open. `runledger verify --offline` starts it.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/json_text.h"
#include "base/text.h"
#include "base/version.h"
#include "ledger/checkpoint_key.h"
#include "ledger/rules.h"
#include "ledger/verify.h"
#include "ledger/witness.h"

namespace {

int fail(const base::Status& status) {
  fmt::print(stderr, "runledger verify: {}\n", base::printable(status.message()));
  return 2;
}

/// Progress in one line, on a terminal only.
bool tell(std::string_view what, uint64_t done, uint64_t total) {
  if (isatty(STDERR_FILENO) == 0) return true;
  fmt::print(stderr, "\r\x1b[K{}{}", what, total > 0 ? fmt::format(" {} %", done * 100 / total) : done > 0 ? fmt::format(" {}", done) : "");
  return true;
}

/// What the witness file says.
base::Result<std::vector<ledger::Witnessed>> read_witness(const std::filesystem::path& folder, const std::filesystem::path& file) {
  const auto key = ledger::read_public_key(folder);
  return key.is_ok() ? ledger::read_witness_file(file, *key) : key.status();
}

struct Asked {
  std::string folder, witness;
  uint64_t from = 0;
  bool json = false;
};

int verify(const Asked& asked) {
  const auto& [folder, witness, from, json] = asked;
  const ledger::Rules rules = ledger::standard_rules();
  auto there = ledger::verify_folder(folder, rules.views);
  if (!there.is_ok()) return fail(there.status());
  ledger::Verification::Options options;
  options.progress = tell;
  base::Result<std::vector<ledger::Witnessed>> entries = std::vector<ledger::Witnessed>();
  if (!witness.empty()) entries = read_witness(folder, witness);
  if (base::Status there_is = (*there)->require_event(from); !there_is.is_ok()) return fail(there_is);
  const base::Status held = options.hold_against(entries.is_ok() ? *entries : std::vector<ledger::Witnessed>(), witness, from);
  if (!held.is_ok()) return fail(held);
  ledger::VerifyReport report = (*there)->run(options);
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r\x1b[K");
  if (!entries.is_ok()) {  // a finding of its own
    report.ok = false;
    report.finding_count += 1;
    if (report.findings.size() < ledger::kMaxFindings) report.findings.push_back(entries.status().message());
  }

  if (json) {
    const nlohmann::ordered_json document{{"ok", report.ok},
                                          {"events", report.events},
                                          {"trusted", report.trusted},
                                          {"root", report.ok ? nlohmann::ordered_json(base::hex(report.root)) : nlohmann::ordered_json()},
                                          {"first_bad", report.first_bad == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(report.first_bad)},
                                          {"findings", report.findings},
                                          {"finding_count", report.finding_count},
                                          {"losses", report.loss_words}};
    fmt::print("{}\n", base::json_text(document));
    return report.ok ? 0 : 1;
  }
  for (const std::string& loss : report.loss_words) fmt::print("stated loss: {}\n", base::printable(loss));
  if (report.ok) {
    if (report.trusted == 0) {
      fmt::print("{} verified, root {}\n", base::counted(report.events, "event"), base::hex(report.root));
    } else {
      fmt::print("events {} to {} verified, those before taken from the checkpoint of {}, root {}\n", report.trusted + 1, report.events,
                 base::counted(report.trusted, "event"), base::hex(report.root));
    }
  } else {
    for (const std::string& finding : report.findings) fmt::print("{}\n", base::printable(finding));
    if (report.finding_count > report.findings.size()) fmt::print("and {} more\n", report.finding_count - report.findings.size());
    fmt::print("NOT verified: {}{}\n", base::counted(report.finding_count, "finding"),
               report.first_bad == 0 ? "" : fmt::format(", first bad event {}", report.first_bad));
  }
  return report.ok ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Verifies the files of a ledger that nothing has open; they are only read.", "runledger-verify-ledger");
  Asked asked;
  app.add_option("ledger", asked.folder, "Folder of the ledger")->required();
  app.add_option("--witness", asked.witness, "Witness file to hold the log against");
  app.add_option("--from", asked.from, "Only events from this one on, behind the last witnessed checkpoint before it");
  app.add_flag("--json", asked.json, "The report in JSON");
  app.set_version_flag("--version", std::string(base::version()));
  try {
    app.parse(argc, argv);
    return verify(asked);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  } catch (const std::exception& problem) {
    return fail({base::Code::kInternal, problem.what()});
  }
}
