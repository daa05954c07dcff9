#include "nexus/hdf5_handles.h"

namespace nexus {

namespace {

/// Cause of the last failed call: libhdf5 clears its own record at the next call, such as the closing of a handle.
thread_local std::string last_cause;

herr_t keep_cause(hid_t stack, void*) {
  last_cause.clear();
  auto keep_first = [](unsigned, const H5E_error2_t* entry, void*) -> herr_t {
    if (last_cause.empty() && entry->desc != nullptr) last_cause = entry->desc;
    return 0;
  };
  return H5Ewalk2(stack, H5E_WALK_UPWARD, keep_first, nullptr);
}

}  // namespace

std::string hdf5_error() { return last_cause.empty() ? "HDF5 gives no reason" : last_cause; }

void prepare_hdf5() {
  H5Eset_auto2(H5E_DEFAULT, keep_cause, nullptr);
  H5PLset_loading_state(0);
}

Hid open_hdf5(const std::string& path) {
  Hid access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_file_locking(access, false, true);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  return Hid(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access));
}

}  // namespace nexus
