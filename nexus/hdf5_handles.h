// HDF5 ids that close themselves, and HDF5's errors as text. For the .cc files of this folder only.
#pragma once

#include <hdf5.h>

#include <string>
#include <string_view>
#include <utility>

namespace nexus {

/// Owns:    one HDF5 id of any kind, or none.
/// Threads: one at a time, like all of libhdf5.
class Hid {
 public:
  Hid() = default;
  explicit Hid(hid_t id) : id_(id) {}
  Hid(Hid&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Hid& operator=(Hid&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Hid() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  explicit operator bool() const { return id_ >= 0; }
  operator hid_t() const { return id_; }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

/// Innermost cause of the last call that failed: "bad object header version number". Needs prepare_hdf5().
std::string hdf5_error();

/// Has HDF5 keep its errors for us instead of printing them, and forbids plugins, in this process. Before each use; cheap.
void prepare_hdf5();

/// Opens a file for reading, without HDF5's file locking.
Hid open_hdf5(const std::string& path);

}  // namespace nexus
