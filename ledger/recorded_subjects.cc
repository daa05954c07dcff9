#include "ledger/recorded_subjects.h"

#include <fmt/format.h>

#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/subjects.h"

namespace ledger {
namespace {

constexpr size_t kJobs = 65536;
constexpr size_t kEventsAPage = 1000;

std::vector<std::string> no_link(std::string_view) { return {}; }

}  // namespace

base::Result<std::vector<std::string>> RecordedSubjects::of(const Snapshot& snapshot, schema::Event::Reader event) {
  status_ = {};
  try {
    Subjects subjects = subjects_of(event, [&](std::string_view subject) { return link(snapshot, subject, event.getSeq()); });
    if (!status_.is_ok()) return status_;
    if (base::Status read = snapshot.status(); !read.is_ok()) return read;
    return std::move(subjects.keys);
  } catch (const kj::Exception& error) {
    return base::Status(base::Code::kCorruption, fmt::format("an event cannot be read: {}", error.getDescription().cStr()));
  }
}

/// Links as they were before that event: the index may have gone on since.
RecordedSubjects::Keys RecordedSubjects::link(const Snapshot& snapshot, std::string_view subject, uint64_t before) {
  std::string name(subject);
  const auto made_by = [&](uint64_t seq) -> Subjects {
    const auto words = snapshot.event(seq);
    if (words.is_ok()) return subjects_of(StoredEvent(*words).get(), no_link);
    if (words.status().code() != base::Code::kNotFound) status_ = words.status();
    return {};
  };
  if ((subject.starts_with('j') || subject.starts_with('c')) && subject.size() == 9) {
    if (const auto known = jobs_.find(name); known != jobs_.end()) return known->second;
    Subjects made = made_by(read_u64(subject, 1));  // the number of a job or campaign is that of the event that made it
    if (made.link_from != subject) return {};
    if (jobs_.size() >= kJobs) jobs_.clear();
    return jobs_[std::move(name)] = std::move(made.link_to);
  }
  // A run: its files may have been read anew, with another experiment.
  Keys last;
  for (uint64_t from = 1;;) {
    const std::vector<uint64_t> seqs = snapshot.subject(subject, from, kEventsAPage);
    for (const uint64_t seq : seqs) {
      if (seq >= before) return last;
      if (Subjects made = made_by(seq); made.link_from == subject) last = std::move(made.link_to);
    }
    if (seqs.size() < kEventsAPage) return last;
    from = seqs.back() + 1;
  }
}

}  // namespace ledger
