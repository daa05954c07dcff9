// What an event is about: the keys of the subject index. Bytes: docs/formats/event_log.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/event.capnp.h"

namespace ledger {

std::string run_subject(std::string_view instrument, uint64_t run_number);
std::string job_subject(uint64_t job);
std::string instrument_subject(std::string_view instrument);
/// Configuration, pauses, scripts and variables of an instrument: what decides how its runs are reduced.
std::string settings_subject(std::string_view instrument);
std::string experiment_subject(std::string_view experiment);
std::string worker_subject(std::string_view worker);
std::string actor_subject(std::string_view actor);
std::string roles_subject(schema::Grant::Reader grant);  // all grants for the same instrument or experiment, or for the facility
std::string denials_subject();
std::string campaign_subject(uint64_t campaign);  // its own events, and the queueing of its jobs
std::string blob_subject(std::string_view sha256);  // its erasures
std::string ledger_subject();  // the ledger itself: losses accepted, bytes erased, records forgotten

/// Whatever is about a job is also about its runs, instrument and experiment, and whatever is about a run also about its
/// experiment; whatever is about a campaign as one thing is also about its instruments and its owner. The event that makes the job or the campaign
/// (or finds the experiment) leaves that as a link for the events that follow.
struct Subjects {
  std::vector<std::string> keys;  // sorted, no key twice
  std::string link_from;          // empty = no new link
  std::vector<std::string> link_to;
};

/// `find_link` answers what an earlier link leads to.
Subjects subjects_of(schema::Event::Reader event,
                     const std::function<std::vector<std::string>(std::string_view subject)>& find_link);

}  // namespace ledger
