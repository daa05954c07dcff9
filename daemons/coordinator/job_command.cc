#include "daemons/coordinator/job_command.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"
#include "daemons/coordinator/output_path.h"

namespace daemons {

using ledger::view;

Command queue_job(const JobOrder& order, const JobContent& content) {
  Command command(order.id, order.cause);
  std::vector<std::string_view> blobs(content.blobs.begin(), content.blobs.end());
  if (!content.variables.empty()) blobs.push_back(content.variables);
  for (const NamedFile& file : content.support_files) {
    if (file.content.bytes) blobs.push_back(*file.content.bytes);
  }
  command.attach(blobs);
  auto job = command.body().initQueueJob();
  const StoredScript& script = content.script;
  job.setContract(script.contract);
  job.setScriptPath(script.path);
  job.setScriptSha256(hash_data(script.sha256));
  auto siblings = job.initSiblings(script.siblings.size());
  for (size_t i = 0; i < script.siblings.size(); ++i) {
    siblings[i].setName(script.siblings[i].first);
    siblings[i].setSha256(hash_data(script.siblings[i].second));
  }
  job.setInterpreter(script.interpreter);
  auto files = job.initSupportFiles(static_cast<uint32_t>(content.support_files.size()));
  for (uint32_t i = 0; i < files.size(); ++i) {
    const NamedFile& file = content.support_files[i];
    files[i].setGroup(file.group);
    files[i].setName(file.variable);
    files[i].setPath(file.path);
    files[i].setSha256(hash_data(file.content.sha256));
    files[i].setSizeBytes(file.content.size_bytes);
    files[i].setKept(file.content.kept);
  }
  if (!content.variables.empty()) job.setVariables(hash_data(base::sha256(content.variables)));
  auto config = content.instrument->getInstrument().getConfig();
  job.setTimeLimitMs(config.getTimeLimitMs());
  job.setMemoryLimitBytes(config.getMemoryLimitBytes());
  job.setStderrFails(config.getStderrFails());
  job.setStderrAllowed(config.getStderrAllowed());
  job.setPriority(order.priority);
  job.getReason().setCode(order.code);
  job.getReason().setText(base::to_utf8(order.text + content.remarks, kLongestReasonBytes));
  return command;
}

Command queue_reduction(const JobOrder& order, const JobContent& content, schema::RunRow::Reader run) {
  Command command = queue_job(order, content);
  auto job = command.body().getQueueJob();
  auto config = content.instrument->getInstrument().getConfig();
  const std::string_view instrument = view(config.getInstrument()), experiment = view(run.getExperiment());
  job.initRuns(1).setWithCaveats(0, run.getRun());
  job.setInputs(run.getRawFiles());
  job.setOutputDirectory(output_directory(view(config.getOutputPattern()), {instrument, experiment, std::to_string(run.getRun().getRunNumber())}));
  if (config.getFlatFolder().size() > 0) job.setFlatFolder(output_directory(view(config.getFlatFolder()), {instrument, experiment}));
  job.setExperiment(run.getExperiment());
  return command;
}

Wish wish_for(schema::RunRow::Reader run, uint64_t cause) {
  Wish wish;
  const RunName name(run.getRun());
  wish.subject = name.text();
  wish.next_step = fmt::format("`runledger rerun {} --script current`", wish.subject);
  wish.instrument = name.instrument;
  wish.experiment = view(run.getExperiment());
  wish.run_number = name.number;
  for (auto file : run.getRawFiles()) wish.raw_paths.emplace_back(view(file.getPath()));
  wish.cause = cause;
  return wish;
}

void take_basis(Wish& wish, Record::Job version, schema::ReductionRequested::ScriptChoice script, bool fresh_variables) {
  if (!version) return;
  const bool stored = script == schema::ReductionRequested::ScriptChoice::STORED;
  if (stored) wish.script = stored_script(version->getJob().getQueued());
  if (!fresh_variables) wish.values = stored ? ValuesFrom::kVersionExactly : ValuesFrom::kVersion;
  wish.version = kj::mv(version);
}

}  // namespace daemons
