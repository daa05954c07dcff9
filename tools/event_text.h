// An event as a line for people and programs: what happened, to which run, and why, in a sentence.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/event.capnp.h"

namespace tools {

/// What an event is about; empty and 0 where it is about no such thing.
struct EventSubject {
  std::string instrument;
  uint64_t run_number = 0;
  uint16_t version = 0;  // of the run; of a stage's result where `stage` is named
  uint64_t job = 0;
  uint64_t campaign = 0;
  std::string stage;  // of a job that is no reduction
  std::string runs;   // of a job over several: "28001-28004"
  bool is_trial = false;

  /// Nothing speaks against its being about this version of the run (0 = any): stage results and trials are counted otherwise.
  bool fits_version(uint16_t wanted) const {
    return wanted == 0 || (version == 0 && !is_trial) || (version == wanted && stage.empty());
  }
};
/// `queued` names a run at least.
EventSubject subject_of(uint64_t job, schema::JobQueued::Reader queued);

/// Which run and version a job is: events of a job only bear its number.
class JobNames {
 public:
  /// Remembers what `event` says of a job, if it says anything.
  void learn(schema::Event::Reader event);
  /// nullopt: its jobQueued event was not seen.
  std::optional<EventSubject> find(uint64_t job) const;

 private:
  std::map<uint64_t, EventSubject> names_;
};

struct EventLine {
  uint64_t seq = 0;
  int64_t time_ns = 0;
  std::string kind;  // the schema's name: "jobQueued"; "unknown" for one of a later release
  std::string actor;
  std::string proof;  // how the actor was known
  std::string right;  // the role that allowed it, and what gave it; empty = none was asked for, or the event is from before there were roles
  uint64_t cause = 0;
  EventSubject subject;
  std::string code;  // reason code; empty = none
  std::string text;  // one sentence
};

/// What the schema calls the kinds of events: "jobQueued".
std::vector<std::string> kind_names();
/// The kind a word names, also in other spellings: "job-queued"; nullopt when it names none.
std::optional<uint16_t> kind_named(std::string_view word);

/// The job an event is about, 0 = none.
uint64_t job_of(schema::Event::Reader event);
EventLine event_line(schema::Event::Reader event, const JobNames& jobs);
/// "jobQueued" -> "job queued".
std::string kind_words(const std::string& kind);
/// "MARI 28001 v2", "MARI 28001-28004 sum v1", "MARI 28001 trial", "MARI", "job 17", "campaign 812" or "".
std::string subject_text(const EventSubject& subject);
/// "alice (scientist of MARI by group isis_mari_team)"; only the name where no right is on record.
std::string actor_text(const EventLine& line);
/// "default", "runs from 28000", "runs 28000 to 28010", "experiment 2010001".
std::string scope_text(schema::Scope::Reader scope);

}  // namespace tools
