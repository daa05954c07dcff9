#include "rpc/service/job_documents.h"

#include "ledger/canonical.h"
#include "schema/document.capnp.h"

namespace rpc {

std::vector<std::string> source_manifests(const ledger::RowReader& rows, schema::JobRow::Reader job) {
  std::vector<std::string> manifests;
  const auto named = job.getQueued().getSources();
  const auto bytes = named.size() == 0 ? std::nullopt : rows.blob(ledger::view(named));
  if (!bytes) return manifests;
  const ledger::Row<schema::JobSources> sources(*bytes);
  for (auto source : sources.get().getSources()) manifests.emplace_back(ledger::view(source.getManifest()));
  return manifests;
}

}  // namespace rpc
