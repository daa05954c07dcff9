#include "tests/support/commands.h"

namespace support {
namespace {

constexpr std::string_view kScript = "def main(input_file, output_dir):\n    pass\n";

capnp::Text::Reader text(const std::string& value) { return {value.c_str(), value.size()}; }
std::string upper_folder(std::string_view instrument) { return "/archive/" + std::string(instrument); }

void fill(schema::RunKey::Builder key, std::string_view instrument, uint64_t run) {
  key.setInstrument(text(std::string(instrument)));
  key.setRunNumber(run);
}
void fill(schema::RawFile::Builder file, std::string_view instrument, uint64_t run, std::string_view content) {
  file.setPath(text(upper_folder(instrument) + "/" + std::string(instrument) + std::to_string(run) + ".nxs"));
  file.setSizeBytes(content.size());
  file.setSha256(data(base::sha256(content)));
}
void fill(schema::Reason::Builder reason, std::string_view code, std::string_view sentence) {
  reason.setCode(text(std::string(code)));
  reason.setText(text(std::string(sentence)));
}

}  // namespace

std::string text_of(capnp::Text::Reader value) { return {value.begin(), value.size()}; }

CommandMessage& CommandMessage::position(std::string_view name, uint64_t seq) {
  auto position = command_.initPosition();
  position.setDaemon(text(std::string(name)));
  position.setSeq(seq);
  return *this;
}

base::Sha256 CommandMessage::blob(std::string_view bytes) {
  std::vector<std::string> blobs;
  for (auto each : command_.asReader().getBlobs()) blobs.emplace_back(reinterpret_cast<const char*>(each.begin()), each.size());
  blobs.emplace_back(bytes);
  auto list = command_.initBlobs(static_cast<capnp::uint>(blobs.size()));
  for (capnp::uint i = 0; i < list.size(); ++i) {
    list.set(i, kj::ArrayPtr<const kj::byte>(reinterpret_cast<const kj::byte*>(blobs[i].data()), blobs[i].size()));
  }
  return base::sha256(bytes);
}

CommandMessage advance(std::string_view id) {
  CommandMessage command(id);
  command.get().getBody().setAdvance();
  return command;
}

CommandMessage configure_instrument(std::string_view id, std::string_view instrument) {
  CommandMessage command(id);
  auto config = command.get().getBody().initConfigureInstrument();
  config.setInstrument(text(std::string(instrument)));
  config.setContract(schema::Contract::ISIS);
  config.initRawFolders(1).set(0, text(upper_folder(instrument)));
  config.initFilePatterns(1).set(0, "*.nxs");
  config.setScriptPath(text("/scripts/" + std::string(instrument) + "/reduce.py"));
  config.setOutputPattern("/reduced/{instrument}/{experiment}/{run}/{version}");
  config.setInterpreter("/usr/bin/python3");
  config.setTimeLimitMs(60'000);
  config.setDetect("directory");
  return command;
}

CommandMessage pause_instrument(std::string_view id, std::string_view instrument, std::string_view reason) {
  CommandMessage command(id);
  auto pause = command.get().getBody().initPauseInstrument();
  pause.setInstrument(text(std::string(instrument)));
  fill(pause.initReason(), "paused_by_person", reason);
  return command;
}

CommandMessage resume_instrument(std::string_view id, std::string_view instrument) {
  CommandMessage command(id);
  auto resume = command.get().getBody().initResumeInstrument();
  resume.setInstrument(text(std::string(instrument)));
  fill(resume.initReason(), "resumed_by_person", "tests");
  return command;
}

CommandMessage annotate_run(std::string_view id, std::string_view instrument, uint64_t run, std::string_view note) {
  CommandMessage command(id);
  auto annotate = command.get().getBody().initAnnotateRun();
  fill(annotate.initRun(), instrument, run);
  annotate.setText(text(std::string(note)));
  return command;
}

CommandMessage detect_run(std::string_view id, std::string_view instrument, uint64_t run, std::string_view experiment,
                          std::string_view content) {
  CommandMessage command(id);
  auto detect = command.get().getBody().initDetectRun();
  fill(detect.initRun(), instrument, run);
  fill(detect.initFiles(1)[0], instrument, run, content);
  auto metadata = detect.initMetadata();
  metadata.setEntryPath("/raw_data_1");
  metadata.setEntryCount(1);
  auto number = metadata.initRunNumber();
  number.setKnown(true);
  number.setValue(static_cast<int64_t>(run));
  if (!experiment.empty()) {
    auto field = metadata.initExperiment();
    field.setKnown(true);
    field.setValue(text(std::string(experiment)));
    field.setRaw(text(std::string(experiment)));
  }
  auto title = metadata.initTitle();
  title.setKnown(true);
  title.setValue(text("Run " + std::to_string(run)));
  detect.setSource("scan");
  return command;
}

CommandMessage skip_run(std::string_view id, std::string_view instrument, uint64_t run, std::string_view code,
                        std::string_view sentence) {
  CommandMessage command(id);
  auto skip = command.get().getBody().initSkipRun();
  fill(skip.initRun(), instrument, run);
  fill(skip.initReason(), code, sentence);
  return command;
}

CommandMessage register_script(std::string_view id, std::string_view instrument, std::string_view script) {
  CommandMessage command(id);
  const base::Sha256 hash = command.blob(script);
  auto registered = command.get().getBody().initRegisterScript();
  registered.setInstrument(text(std::string(instrument)));
  registered.setContract(schema::Contract::ISIS);
  registered.setPath(text("/scripts/" + std::string(instrument) + "/reduce.py"));
  registered.setSha256(data(hash));
  return command;
}

CommandMessage queue_job(std::string_view id, std::string_view instrument, uint64_t run, std::string_view experiment) {
  CommandMessage command(id);
  auto queue = command.get().getBody().initQueueJob();
  fill(queue.initRuns(1)[0], instrument, run);
  queue.setContract(schema::Contract::ISIS);
  queue.setScriptPath(text("/scripts/" + std::string(instrument) + "/reduce.py"));
  queue.setScriptSha256(data(base::sha256(kScript)));
  fill(queue.initInputs(1)[0], instrument, run, "raw bytes");
  queue.setOutputDirectory(text("/reduced/" + std::string(instrument) + "/" + std::to_string(run) + "/{version}"));
  queue.setInterpreter("/usr/bin/python3");
  queue.setTimeLimitMs(60'000);
  queue.setPriority(10);
  queue.setExperiment(text(std::string(experiment)));
  fill(queue.initReason(), "new_run", "a new run was detected");
  return command;
}

CommandMessage start_attempt(std::string_view id, uint64_t job, std::string_view worker) {
  CommandMessage command(id);
  const base::Sha256 environment = command.blob("environment");
  auto start = command.get().getBody().initStartAttempt();
  start.setJob(job);
  start.setWorker(text(std::string(worker)));
  start.setHost("localhost");
  start.setEnvironment(data(environment));
  start.setLeaseMs(30'000);
  return command;
}

CommandMessage succeed_attempt(std::string_view id, uint64_t job, uint16_t attempt, uint64_t fence) {
  CommandMessage command(id);
  const base::Sha256 manifest = command.blob("manifest");
  auto succeed = command.get().getBody().initSucceedAttempt();
  succeed.setJob(job);
  succeed.setAttempt(attempt);
  succeed.setFence(fence);
  auto outputs = succeed.initOutputs();
  outputs.setManifest(data(manifest));
  outputs.setFiles(1);
  outputs.setTotalBytes(8);
  succeed.setStaging("/reduced/.staging");
  return command;
}

CommandMessage publish_job(std::string_view id, uint64_t job, uint16_t attempt, uint64_t fence) {
  CommandMessage command(id);
  auto publish = command.get().getBody().initPublishJob();
  publish.setJob(job);
  publish.setAttempt(attempt);
  publish.setFence(fence);
  return command;
}

CommandMessage join_worker(std::string_view id, std::string_view worker, uint16_t slots) {
  CommandMessage command(id);
  auto join = command.get().getBody().initJoinWorker();
  join.setWorker(text(std::string(worker)));
  join.setHost("localhost");
  join.setProcessId(1);
  join.setSlots(slots);
  return command;
}

}  // namespace support
