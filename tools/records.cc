#include "tools/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/sha256.h"
#include "base/text.h"
#include "tools/event_text.h"
#include "tools/words.h"

namespace tools {
namespace {

constexpr uint32_t kPieceBytes = 1u << 20;
constexpr uint32_t kHistoryPage = 500;

}  // namespace

base::Status stream_blob(Client& client, std::string_view sha256, const std::function<void(std::string_view)>& use) {
  schema::Runs::Client runs = client.session().runsRequest().send().getRuns();
  base::Sha256Stream hash;
  for (uint64_t offset = 0, total = 1; offset < total;) {
    auto request = runs.blobRequest();
    request.setSha256(data_of(sha256));
    request.setOffset(offset);
    request.setLimit(kPieceBytes);
    auto answer = ask(client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    std::string_view piece = bytes_of(answer->getBytes());
    total = answer->getTotalBytes();
    if (piece.empty() && offset < total) {
      return {base::Code::kCorruption, fmt::format("blob {} ends after {} of {} bytes; run 'runledger verify'", base::hex(sha256), offset, total)};
    }
    hash.update(piece.data(), piece.size());
    use(piece);
    offset += piece.size();
  }
  if (base::as_bytes(hash.finish()) != sha256) {
    return {base::Code::kCorruption, fmt::format("blob {} has other bytes than its name says; run 'runledger verify'", base::hex(sha256))};
  }
  return base::Status::ok();
}

base::Result<std::string> blob(Client& client, std::string_view sha256) {
  std::string bytes;
  base::Status status = stream_blob(client, sha256, [&](std::string_view piece) { bytes += piece; });
  if (!status.is_ok()) return status;
  return bytes;
}

template <typename T>
base::Result<Document<T>> document(Client& client, std::string_view sha256) {
  if (sha256.empty()) return Document<T>::open("");
  base::Result<std::string> bytes = blob(client, sha256);
  if (!bytes.is_ok()) return bytes.status();
  return Document<T>::open(*bytes);
}

template base::Result<Document<schema::VariableSet>> document(Client&, std::string_view);
template base::Result<Document<schema::OutputManifest>> document(Client&, std::string_view);
template base::Result<Document<schema::Environment>> document(Client&, std::string_view);

base::Status read_history(Client& client, const SetSubject& subject, uint64_t after, const std::function<bool(Document<schema::Event>)>& use) {
  schema::Runs::Client runs = client.session().runsRequest().send().getRuns();
  while (true) {
    auto request = runs.historyRequest();
    subject(request.initSubject());
    request.setLimit(kHistoryPage);
    request.setAfter(after);
    auto answer = ask(client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    for (auto bytes : answer->getEvents()) {
      base::Result<Document<schema::Event>> event = Document<schema::Event>::open(bytes_of(bytes));
      if (!event.is_ok()) return event.status();
      if (!use(std::move(*event))) return {};
    }
    after = answer->getNext();
    if (after == 0) return {};
  }
}

base::Result<Events> history(Client& client, const SetSubject& subject) {
  Events events;
  base::Status status = read_history(client, subject, 0, [&](Document<schema::Event> event) {
    events.push_back(std::move(event));
    return true;
  });
  if (!status.is_ok()) return status;
  return events;
}

base::Result<Events> run_history(Client& client, std::string_view instrument_name, uint64_t run_number) {
  return history(client, [&](schema::Subject::Builder subject) {
    auto run = subject.initRun();
    run.setInstrument(std::string(instrument_name).c_str());
    run.setRunNumber(run_number);
  });
}

base::Result<Events> job_history(Client& client, uint64_t job) {
  return history(client, [&](schema::Subject::Builder subject) { subject.setJob(job); });
}

void merge(Events& events, Events more) {
  std::move(more.begin(), more.end(), std::back_inserter(events));
  auto seq = [](const Document<schema::Event>& event) { return event.get().getSeq(); };
  std::stable_sort(events.begin(), events.end(), [&](const auto& a, const auto& b) { return seq(a) < seq(b); });
  events.erase(std::unique(events.begin(), events.end(), [&](const auto& a, const auto& b) { return seq(a) == seq(b); }), events.end());
}

base::Result<ShownRun> show_run(Client& client, const RunName& run) {
  auto request = client.session().runsRequest().send().getRuns().showRequest();
  request.getRun().setInstrument(run.instrument.c_str());
  request.getRun().setRunNumber(run.run_number);
  base::Result<ShownRun> answer = ask(client, std::move(request));
  if (!answer.is_ok() || run.version == 0 || chosen_version(*answer, run.version)) return answer;
  size_t versions = answer->getVersions().size();
  return base::Status(
      base::Code::kNotFound,
      fmt::format("{} has no version {}; {}; `runledger show {} {}` lists what there is", run_text(run.instrument, run.run_number),
                  run.version, versions == 0 ? "it has none yet" : fmt::format("the latest is v{}", versions), run.instrument,
                  run.run_number));
}

std::optional<schema::JobRow::Reader> chosen_version(schema::Runs::ShowResults::Reader shown, uint16_t version) {
  std::optional<schema::JobRow::Reader> latest;
  for (auto job : shown.getVersions()) {
    if (job.getQueued().getVersion() == version) return job;
    if (!latest || job.getQueued().getVersion() > latest->getQueued().getVersion()) latest = job;
  }
  return version == 0 ? latest : std::nullopt;
}

base::Result<ShownVersion> show_version(Client& client, const RunName& run) {
  base::Result<ShownRun> shown = show_run(client, run);
  if (!shown.is_ok()) return shown.status();
  if (std::optional<schema::JobRow::Reader> job = chosen_version(*shown, run.version)) {
    return ShownVersion{std::move(*shown), *job, run_text(run.instrument, run.run_number, job->getQueued().getVersion())};
  }
  schema::RunRow::Reader row = shown->getRun();
  std::string text =
      fmt::format("{} has no version yet; it is {}", run_text(run.instrument, run.run_number), enum_word(row.getState()));
  if (row.getReason().getText().size() > 0) text += fmt::format(": {}", text_of(row.getReason().getText()));
  return base::Status(base::Code::kNotFound,
                      fmt::format("{}; `runledger explain {} {}` says more", text, run.instrument, run.run_number));
}

base::Result<schema::Instrument::Client> instrument(Client& client, const std::string& name) {
  auto request = client.session().instrumentRequest();
  request.setName(kj_text(name));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return answer->getInstrument();
}

namespace {

/// A document that was erased reads as empty; why goes to `missing`.
template <typename T>
base::Result<Document<T>> document_or_empty(Client& client, std::string_view sha256, std::string_view what, std::vector<std::string>& missing) {
  auto found = document<T>(client, sha256);
  if (found.is_ok() || found.status().code() != base::Code::kNotFound) return found;
  missing.push_back(fmt::format("{}: {}", what, found.status().message()));
  return Document<T>::open("");
}

}  // namespace

base::Result<VersionDetail> version_detail(Client& client, schema::JobRow::Reader job, capnp::List<schema::JobRow>::Reader versions) {
  std::string_view manifest, environment;
  std::string output_directory(text_of(job.getQueued().getOutputDirectory()));
  for (auto attempt : job.getAttempts()) {
    environment = bytes_of(attempt.getEnvironment());
    auto outcome = attempt.getOutcome();  // what a failed attempt wrote was never published
    if (outcome != schema::AttemptRow::Outcome::SUCCEEDED && outcome != schema::AttemptRow::Outcome::PUBLISHING) continue;
    manifest = bytes_of(attempt.getOutputs().getManifest());
    if (attempt.getOutputs().getDirectory().size() > 0) output_directory = text_of(attempt.getOutputs().getDirectory());
  }
  std::vector<std::string> missing;
  auto variables = document_or_empty<schema::VariableSet>(client, bytes_of(job.getQueued().getVariables()), "variables", missing);
  if (!variables.is_ok()) return variables.status();
  auto outputs = document_or_empty<schema::OutputManifest>(client, manifest, "outputs", missing);
  if (!outputs.is_ok()) return outputs.status();
  auto environment_document = document_or_empty<schema::Environment>(client, environment, "environment", missing);
  if (!environment_document.is_ok()) return environment_document.status();
  VersionDetail detail{job, std::move(*variables), std::move(*outputs), std::move(*environment_document), output_directory, std::move(missing)};
  for (auto version : versions) {
    if (job.getSupersededBy() != 0 && version.getJob() == job.getSupersededBy()) detail.superseded_by = version.getQueued().getVersion();
  }
  return detail;
}

bool wrote_nothing(schema::JobRow::Reader job) {
  if (job.getState() != schema::RunState::SUCCEEDED) return false;
  for (auto attempt : job.getAttempts()) {
    if (attempt.getOutcome() == schema::AttemptRow::Outcome::SUCCEEDED) return attempt.getOutputs().getFiles() == 0;
  }
  return false;
}

std::vector<std::string> plots(const VersionDetail& detail) {
  constexpr std::string_view kEndings[] = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".svg"};
  std::vector<std::string> stems;
  for (auto file : detail.job.getQueued().getInputs()) {
    const std::string_view path = text_of(file.getPath());
    const std::string_view name = path.substr(path.rfind('/') + 1);
    stems.push_back(base::ascii_lower(name.substr(0, name.rfind('.'))));
  }
  std::vector<std::string> named, others;
  for (auto file : detail.outputs.get().getFiles()) {
    const std::string path(text_of(file.getPath()));
    const std::string name = base::ascii_lower(path.substr(path.rfind('/') + 1));
    if (std::none_of(std::begin(kEndings), std::end(kEndings), [&](std::string_view ending) { return name.ends_with(ending); })) continue;
    const bool is_named = std::any_of(stems.begin(), stems.end(), [&](const std::string& stem) { return !stem.empty() && name.starts_with(stem); });
    (is_named ? named : others).push_back(path);
  }
  named.insert(named.end(), others.begin(), others.end());
  return named;
}

base::Result<ShownJob> show_job(Client& client, uint64_t job) {
  auto request = client.session().runsRequest().send().getRuns().jobRequest();
  request.setJob(job);
  return ask(client, std::move(request));
}

std::string job_name(schema::JobRow::Reader job) {
  if (job.getQueued().getRuns().size() == 0) return fmt::format("job {}", job.getJob());
  const EventSubject subject = subject_of(job.getJob(), job.getQueued());
  return subject.is_trial ? fmt::format("{} (job {})", subject_text(subject), job.getJob()) : subject_text(subject);
}

}  // namespace tools
