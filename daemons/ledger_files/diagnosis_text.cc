#include "daemons/ledger_files/diagnosis_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/counted.h"
#include "base/text.h"
#include "base/time.h"

namespace daemons {
namespace {

using ledger::Condition;

std::string summary(const ledger::Diagnosis& found) {
  const uint64_t promised = std::max(found.promised ? found.promised->size : 0, found.witnessed ? found.witnessed->size : 0);
  switch (found.condition) {
    case Condition::kAbsent:
      return "there is no ledger";
    case Condition::kInUse:
      return found.lock.process > 0 ? fmt::format("is open in process {}; nothing else was looked at", found.lock.process)
                                    : std::string("is open in another process; nothing else was looked at");
    case Condition::kWhole:
      return "is whole: everything in it is as it was written";
    case Condition::kShort:
      return promised == found.whole_events + 1 ? fmt::format("is whole but too short: event {} is missing", promised)
                                                : fmt::format("is whole but too short: events {} to {} are missing", found.whole_events + 1, promised);
    case Condition::kHeadLost:
      return "what there is is whole, but its HEAD is lost: nobody can tell whether there were more events";
    case Condition::kOther:
      return "its HEAD, its witness file and its database do not belong together";
    case Condition::kDerived:
      return "the log is whole; what follows from it, or documents it names, are not";
    case Condition::kDamaged:
      return fmt::format("is damaged: {} of {} events are whole, from the first on", found.whole_events, std::max(found.stored_events, promised));
    case Condition::kUnreadable:
      return "the storage engine cannot open it";
    case Condition::kNewer:
      return "was written by a later release";
  }
  return {};
}

}  // namespace

std::vector<std::string> next_steps(const ledger::Diagnosis& found, const std::filesystem::path& folder) {
  const std::string where = folder.string();
  const std::string restore = fmt::format("Is there a backup? Put it in place; this folder is kept: runledger doctor {} --restore BACKUP", where);
  const std::string salvage = fmt::format("Save the events that are whole into a ledger of their own: runledger doctor {} --salvage NEW-FOLDER", where);
  const std::string copy = "Copy the folder elsewhere before anything else is tried.";
  switch (found.condition) {
    case Condition::kAbsent:
      return {"Name the ledger's folder, or the site with --site."};
    case Condition::kInUse:
      return {"Nothing is wrong with it that would keep it from being opened. `runledger verify` asks the process that has it whether all is well."};
    case Condition::kWhole:
      return {"Nothing is to be done."};
    case Condition::kShort:
      return {copy, "Look for what is missing: write-ahead logs (db/*.log) that were moved, a newer copy of db/.", restore,
              fmt::format("Without one, accept the loss, on record: runledger doctor {} --accept-loss --reason TEXT", where)};
    case Condition::kHeadLost:
      return {copy, "Put HEAD back from a copy of this folder that is not older than a minute.", restore,
              fmt::format("Without one, go on with the events there are, on record: runledger doctor {} --accept-loss --reason TEXT", where)};
    case Condition::kOther:
      return {copy, "Put back the HEAD, the witness file or the db/ that belongs to the others.", restore};
    case Condition::kDerived:
      return {copy, restore, salvage, "Views and the tree are made again there; documents that are damaged are left out and named."};
    case Condition::kDamaged:
      return {copy, restore, salvage, "The new ledger knows what was promised; --accept-loss there puts the loss on record, then it opens."};
    case Condition::kUnreadable:
      return {copy, "Look at the disk: is the file the engine names there, and readable for this account?", restore};
    case Condition::kNewer:
      return {"Use the release that wrote it, or a later one."};
  }
  return {};
}

std::string diagnosis_text(const ledger::Diagnosis& found, const std::filesystem::path& folder) {
  std::string text = fmt::format("{}: {}\n", folder.string(), summary(found));
  const auto line = [&](std::string_view name, const std::string& value) { text += fmt::format("{:<10} {}\n", name, base::printable(value)); };
  if (found.condition != Condition::kAbsent && found.condition != Condition::kInUse) {
    if (!found.ledger_id.empty()) line("ledger", found.ledger_id);
    line("HEAD", found.promised ? fmt::format("promises {} as of {}{}", base::counted(found.promised->size, "event"), base::iso_time(found.promised->time_ns),
                                              found.ledger_id.empty() || found.promised->id == found.ledger_id ? "" : ", of ledger " + found.promised->id)
                                : found.head_problem);
    if (found.witnessed) line("witness", fmt::format("its last checkpoint promises {}", base::counted(found.witnessed->size, "event")));
    if (!found.witness_problem.empty()) line("witness", found.witness_problem);
    if (!found.engine_problem.empty()) line("engine", found.engine_problem);
    if (found.stored_events > 0) {
      line("events", fmt::format("1 to {} whole, {} there; root over the whole ones {}{}", found.whole_events, found.stored_events, base::hex(found.whole_root),
                                 found.keeps_promise ? ", as promised" : ""));
    }
    for (const std::string& finding : found.findings) line("wrong", finding);
    if (found.finding_count > found.findings.size()) line("", fmt::format("and {} more", base::counted(found.finding_count - found.findings.size(), "finding")));
  }
  int number = 0;
  for (const std::string& step : next_steps(found, folder)) text += fmt::format("{:<10} {}. {}\n", number == 0 ? "next" : "", number + 1, step), ++number;
  return text;
}

nlohmann::ordered_json diagnosis_json(const ledger::Diagnosis& found, const std::filesystem::path& folder) {
  nlohmann::ordered_json json;
  const auto text = [](const std::string& value) { return value.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(value); };
  json["folder"] = folder.string();
  json["condition"] = ledger::condition_name(found.condition);
  json["locked"] = found.lock.held;
  json["locked_by"] = found.lock.process > 0 ? nlohmann::ordered_json(found.lock.process) : nlohmann::ordered_json();
  json["ledger"] = text(found.ledger_id);
  json["promised_events"] = found.promised ? nlohmann::ordered_json(found.promised->size) : nlohmann::ordered_json();
  json["head_problem"] = text(found.head_problem);
  json["witnessed_events"] = found.witnessed ? nlohmann::ordered_json(found.witnessed->size) : nlohmann::ordered_json();
  json["witness_problem"] = text(found.witness_problem);
  json["engine_problem"] = text(found.engine_problem);
  json["stored_events"] = found.stored_events;
  json["whole_events"] = found.whole_events;
  json["whole_root"] = found.whole_events > 0 ? nlohmann::ordered_json(base::hex(found.whole_root)) : nlohmann::ordered_json();
  json["keeps_promise"] = found.keeps_promise;
  json["findings"] = found.findings;
  json["finding_count"] = found.finding_count;
  json["next"] = next_steps(found, folder);
  return json;
}

}  // namespace daemons
