#include "ledger/role_history.h"

#include <fmt/format.h>

#include <map>

#include "base/text.h"
#include "ledger/event_bytes.h"
#include "ledger/memory_rows.h"
#include "ledger/subjects.h"
#include "ledger/view_rows.h"
#include "ledger/views/access.h"

namespace ledger {
namespace {

constexpr size_t kEventsAPage = 1000;

/// Folds every event about `subject`.
base::Status fold(const Snapshot& snapshot, const std::string& subject, MemoryRows& rows) {
  static const AccessView access;
  for (uint64_t from = 1;;) {
    const std::vector<uint64_t> seqs = snapshot.subject(subject, from, kEventsAPage);
    for (const uint64_t seq : seqs) {
      auto words = snapshot.event(seq);
      if (!words.is_ok()) return words.status();
      StoredEvent event(*words);
      rows.at(seq);
      access.fold(event.get(), rows);
    }
    if (seqs.size() < kEventsAPage) return base::Status::ok();
    from = seqs.back() + 1;
  }
}

std::string subject_of(std::string_view instrument, std::string_view experiment) {
  capnp::MallocMessageBuilder message;
  auto grant = message.initRoot<schema::Grant>();
  grant.setInstrument(std::string(instrument));
  grant.setExperiment(std::string(experiment));
  return roles_subject(grant.asReader());
}

}  // namespace

base::Result<std::vector<Row<schema::GrantRow>>> who_could_see(const Snapshot& snapshot, std::string_view experiment) {
  MemoryRows rows([](std::string_view) { return std::nullopt; });
  const auto row = find_experiment(snapshot, experiment);
  if (base::Status status = fold(snapshot, subject_of({}, experiment), rows); !status.is_ok()) return status;
  const bool has_members = !all_grants(rows).empty();
  if (!row && !has_members && snapshot.subject(subject_of({}, experiment), 1, 1).empty()) {
    return base::Status(base::Code::kNotFound, fmt::format("experiment {}: up to event {} there are neither runs nor members of it", base::printable(experiment), snapshot.head()));
  }
  if (row) {
    for (auto instrument : row->get().getInstruments()) {
      if (base::Status status = fold(snapshot, subject_of(view(instrument), {}), rows); !status.is_ok()) return status;
    }
  }
  if (base::Status status = fold(snapshot, subject_of({}, {}), rows); !status.is_ok()) return status;
  return all_grants(rows);
}

}  // namespace ledger
