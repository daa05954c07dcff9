#include "nexus/hdf5_handles.h"

namespace nexus {

std::string hdf5_error() {
  std::string cause;
  auto keep_first = [](unsigned, const H5E_error2_t* entry, void* into) -> herr_t {
    auto& text = *static_cast<std::string*>(into);
    if (text.empty() && entry->desc != nullptr) text = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &cause);
  return cause.empty() ? "HDF5 gives no reason" : cause;
}

void prepare_hdf5() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

Hid open_hdf5(const std::string& path) {
  Hid access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_file_locking(access, false, true);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  return Hid(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access));
}

}  // namespace nexus
