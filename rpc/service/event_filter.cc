#include "rpc/service/event_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "ledger/subjects.h"
#include "rpc/service/answers.h"

namespace rpc {
namespace {

constexpr size_t kKinds = 256, kSubjects = 8;
constexpr std::string_view kNarrowestFirst = "jrcewdai";  // by the first letter of their keys

}  // namespace

std::string subject_key(schema::Subject::Reader subject) {
  switch (subject.which()) {
    case schema::Subject::RUN: return ledger::run_subject(view(subject.getRun().getInstrument()), subject.getRun().getRunNumber());
    case schema::Subject::JOB: return ledger::job_subject(subject.getJob());
    case schema::Subject::INSTRUMENT: return ledger::instrument_subject(view(subject.getInstrument()));
    case schema::Subject::EXPERIMENT: return ledger::experiment_subject(view(subject.getExperiment()));
    case schema::Subject::WORKER: return ledger::worker_subject(view(subject.getWorker()));
    case schema::Subject::ACTOR: return ledger::actor_subject(view(subject.getActor()));
    case schema::Subject::DENIALS: return ledger::denials_subject();
    case schema::Subject::CAMPAIGN: return ledger::campaign_subject(subject.getCampaign());
    case schema::Subject::SEQ: return {};
  }
  return {};
}

base::Result<EventFilter> EventFilter::parse(schema::EventFilter::Reader filter) {
  EventFilter parsed;
  if (filter.getKinds().size() > kKinds) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("{} kinds are asked for; name at most {}", filter.getKinds().size(), kKinds));
  }
  for (const uint16_t kind : filter.getKinds()) parsed.kinds_.insert(kind);
  if (filter.getInstrument().size() > 0) parsed.subjects_.push_back(ledger::instrument_subject(view(filter.getInstrument())));
  if (filter.getSubjects().size() > kSubjects) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("{} subjects are asked for; name at most {}", filter.getSubjects().size(), kSubjects));
  }
  for (auto subject : filter.getSubjects()) {
    std::string key = subject_key(subject);
    if (key.empty()) {
      return base::Status(base::Code::kInvalidArgument, "a single event cannot be watched; read it with history, or watch from it on");
    }
    parsed.subjects_.push_back(std::move(key));
  }
  std::sort(parsed.subjects_.begin(), parsed.subjects_.end(), [](const std::string& a, const std::string& b) {
    return std::pair(kNarrowestFirst.find(a[0]), std::string_view(a)) < std::pair(kNarrowestFirst.find(b[0]), std::string_view(b));
  });
  parsed.subjects_.erase(std::unique(parsed.subjects_.begin(), parsed.subjects_.end()), parsed.subjects_.end());
  return parsed;
}

bool EventFilter::is_about(const std::vector<std::string>& subjects) const {
  return std::all_of(subjects_.begin(), subjects_.end(),
                     [&](const std::string& key) { return std::binary_search(subjects.begin(), subjects.end(), key); });
}

}  // namespace rpc
