// What commands fetch from the ledger: events, documents and texts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "schema/document.capnp.h"
#include "tools/client.h"
#include "tools/document.h"
#include "tools/run_names.h"

namespace tools {

/// A blob piece by piece, checked against its name at the end. kCorruption: the pieces are not what the name says.
base::Status stream_blob(Client& client, std::string_view sha256, const std::function<void(std::string_view piece)>& use);
base::Result<std::string> blob(Client& client, std::string_view sha256);

/// A document of the blob store; an empty name gives an empty document.
template <typename T>
base::Result<Document<T>> document(Client& client, std::string_view sha256);

using Events = std::vector<Document<schema::Event>>;
using SetSubject = std::function<void(schema::Subject::Builder)>;
/// Events about a subject behind event `after`, oldest first, until `use` answers false.
base::Status read_history(Client& client, const SetSubject& subject, uint64_t after, const std::function<bool(Document<schema::Event>)>& use);
/// Every event about a subject, oldest first.
base::Result<Events> history(Client& client, const SetSubject& subject);
/// ... of a run, with those of its jobs.
base::Result<Events> run_history(Client& client, std::string_view instrument, uint64_t run_number);
base::Result<Events> job_history(Client& client, uint64_t job);
/// `more` put into `events`, in seq order, each event once.
void merge(Events& events, Events more);

using ShownRun = capnp::Response<schema::Runs::ShowResults>;
/// A run with all its versions. kNotFound also when the version named is not there.
base::Result<ShownRun> show_run(Client& client, const RunName& run);
/// The version `run` names, else the latest; nullopt while there is none.
std::optional<schema::JobRow::Reader> chosen_version(schema::Runs::ShowResults::Reader shown, uint16_t version);

/// One version of a run.
struct ShownVersion {
  ShownRun shown;
  schema::JobRow::Reader job;  // in `shown`
  std::string name;            // "MARI 28001 v2"
};
/// The version `run` names, else its latest. kNotFound also while there is none; the message says why.
base::Result<ShownVersion> show_version(Client& client, const RunName& run);

/// The capability of one instrument, by its name in upper case. kNotFound: there is no such instrument.
base::Result<schema::Instrument::Client> instrument(Client& client, const std::string& name);

/// A version with the documents it names. Borrows `job` from the answer it came in.
struct VersionDetail {
  schema::JobRow::Reader job;
  Document<schema::VariableSet> variables;
  Document<schema::OutputManifest> outputs;     // of the attempt that succeeded
  Document<schema::Environment> environment;    // of the last attempt
  std::string output_directory;
  std::vector<std::string> missing;  // why a document is not there (erased, by whom); it reads as empty
  uint16_t superseded_by = 0;        // the newer version that is the result now; 0 = none, or it is not among `versions`
};
/// `versions`: those of its run, to name the one it is superseded by.
base::Result<VersionDetail> version_detail(Client& client, schema::JobRow::Reader job, capnp::List<schema::JobRow>::Reader versions = {});
/// It succeeded, and there is no file of it.
bool wrote_nothing(schema::JobRow::Reader job);
/// Images among its outputs, by their path in the output folder; first those that are named after a raw file.
std::vector<std::string> plots(const VersionDetail& detail);
/// Any job, also of a stage or a trial.
using ShownJob = capnp::Response<schema::Runs::JobResults>;
base::Result<ShownJob> show_job(Client& client, uint64_t job);
/// "MARI 28001 v2", "MARI 28001-28004 sum v1", "MARI 28001 trial (job 913)".
std::string job_name(schema::JobRow::Reader job);

}  // namespace tools
