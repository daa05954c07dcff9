// Every object of a file, once: whether it is all there, and where the events are.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "nexus/hdf5_handles.h"
#include "nexus/input_file.h"

namespace nexus {

struct WalkLimits {
  size_t objects = 500'000;
  size_t depth = 10'000;
  std::chrono::milliseconds time{30'000};
};

/// An NXevent_data group.
struct EventGroup {
  std::string path;
  haddr_t address = HADDR_UNDEF;
  bool detector = true;  // false: it, or a group it is in, is a monitor or a chopper, or holds events outside every detector
};

/// Something seen several times, of which the first is told.
struct Sighting {
  uint64_t count = 0;
  std::string first;
};

struct WalkResult {
  std::string damaged;  // what of the file's structure cannot be read, and why; empty = all is there
  std::vector<EventGroup> event_groups;
  std::vector<std::string> histograms;  // an array of counts of each entry that has one
  Sighting external_links, external_storage, virtual_datasets, missing_filters, bad_chunks;
  std::string unfinished;  // which limit ended the walk; empty = it went to the end
};

/// Opens each object's header by its address, breadth first, links of all kinds but hard ones unfollowed, no data read. Of
/// compressed datasets a few chunks are looked at: where a chunk should be there must not be zeros. `user_block`: bytes before the
/// HDF5 signature.
WalkResult walk(hid_t file, const InputFile& bytes, uint64_t user_block, const WalkLimits& limits);

}  // namespace nexus
