#include "ledger/fold.h"
#include "ledger/views/access.h"
#include "ledger/views/campaigns.h"
#include "ledger/views/experiments.h"
#include "ledger/views/files.h"
#include "ledger/views/instruments.h"
#include "ledger/views/jobs.h"
#include "ledger/views/queue.h"
#include "ledger/views/runs.h"
#include "ledger/views/stages.h"
#include "ledger/views/support_files.h"
#include "ledger/views/variables.h"
#include "ledger/views/workers.h"

namespace ledger {

std::span<const View* const> views() {
  static const RunsView runs;
  static const FilesView files;
  static const JobsView jobs;
  static const QueueView queue;
  static const InstrumentsView instruments;
  static const VariablesView variables;
  static const ExperimentsView experiments;
  static const WorkersView workers;
  static const AccessView access;
  static const CampaignsView campaigns;
  static const StagesView stages;
  static const SupportFilesView support_files;
  static const View* const all[] = {&runs,        &files,   &jobs,   &queue,     &instruments, &variables,
                                    &experiments, &workers, &access, &campaigns, &stages,      &support_files};
  return all;
}

}  // namespace ledger
