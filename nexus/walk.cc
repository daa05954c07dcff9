#include "nexus/walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "base/text.h"
#include "nexus/fields.h"

namespace nexus {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kNameBytes = 255;            // of a link's name kept for messages
constexpr size_t kHistogramsKept = 64;        // one an entry
constexpr hsize_t kChunksCountedMost = 4096;  // finding chunk i costs i steps
constexpr hsize_t kChunksLookedAt = 8;
constexpr uint32_t kNoParent = std::numeric_limits<uint32_t>::max();

struct Node {
  haddr_t address;
  uint32_t parent;
  uint32_t depth;
  bool no_detector;  // inherited by what is inside
  bool holds_data;   // inside an NXdata or NXdetector
  std::string name;
};

void see(Sighting& sighting, std::string first) {
  if (sighting.count++ == 0) sighting.first = std::move(first);
}

bool has_part(std::string_view name, std::string_view part) { return base::ascii_lower(name).find(part) != std::string::npos; }

size_t address_bytes(hid_t file) {
  Hid creation(H5Fget_create_plist(file));
  size_t addresses = 0, lengths = 0;
  return H5Pget_sizes(creation, &addresses, &lengths) < 0 ? 0 : addresses;
}

class Walk {
 public:
  Walk(hid_t file, const InputFile& bytes, uint64_t user_block, const WalkLimits& limits)
      : file_(file), bytes_(bytes), user_block_(user_block), address_bytes_(address_bytes(file)), limits_(limits) {}

  WalkResult run() {
    Hid root(H5Gopen2(file_, "/", H5P_DEFAULT));
    H5O_info_t info;
    if (!root || H5Oget_info2(root, &info, H5O_INFO_BASIC) < 0) {
      result_.damaged = fmt::format("the root group cannot be read ({})", hdf5_error());
      return std::move(result_);
    }
    add(info.addr, kNoParent, "");
    auto deadline = SteadyClock::now() + limits_.time;
    for (size_t i = 0; i < nodes_.size() && result_.damaged.empty(); ++i) {
      if (SteadyClock::now() > deadline) {
        result_.unfinished = fmt::format("{} ms", limits_.time.count());
        break;
      }
      visit(static_cast<uint32_t>(i));
    }
    return std::move(result_);
  }

 private:
  void add(haddr_t address, uint32_t parent, std::string_view name) {
    if (seen_.contains(address)) return;
    if (nodes_.size() >= limits_.objects) {
      result_.unfinished = fmt::format("{} objects", limits_.objects);
      return;
    }
    uint32_t depth = parent == kNoParent ? 0 : nodes_[parent].depth + 1;
    if (depth > limits_.depth) {
      result_.unfinished = fmt::format("{} levels", limits_.depth);
      return;
    }
    seen_.insert(address);
    bool no_detector = parent != kNoParent && nodes_[parent].no_detector,
         holds_data = parent != kNoParent && nodes_[parent].holds_data;
    nodes_.push_back({address, parent, depth, no_detector, holds_data, std::string(name.substr(0, kNameBytes))});
  }

  std::string path_of(uint32_t node) const {
    std::vector<std::string_view> names;
    for (uint32_t i = node; nodes_[i].parent != kNoParent; i = nodes_[i].parent) names.push_back(nodes_[i].name);
    std::string path;
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      path += '/';
      path += *name;
      if (path.size() > 4 * kNameBytes) return path + "/...";
    }
    return path.empty() ? "/" : path;
  }

  std::string shown(uint32_t node) const { return display(path_of(node), kFieldTextBytes); }

  void damage(uint32_t node, std::string_view what) {
    if (result_.damaged.empty()) result_.damaged = fmt::format("{} of {} cannot be read ({})", what, shown(node), hdf5_error());
  }

  void visit(uint32_t node) {
    Hid object(H5Oopen_by_addr(file_, nodes_[node].address));
    if (!object) return damage(node, "the header");
    switch (H5Iget_type(object)) {
      case H5I_GROUP:
        return visit_group(node, object);
      case H5I_DATASET:
        return visit_dataset(node, object);
      default:
        return;
    }
  }

  void visit_group(uint32_t node, hid_t group) {
    std::string group_class = text_attribute(group, "NX_class").value_or("");
    std::string_view name = nodes_[node].name;
    bool aside = has_part(group_class, "monitor") || has_part(group_class, "chopper") || has_part(name, "monitor") ||
                 has_part(name, "chopper") || has_part(name, "trigger") || has_part(name, "unmapped") ||
                 has_part(name, "error_events");
    if (aside) nodes_[node].no_detector = true;
    if (group_class == "NXdata" || group_class == "NXdetector") nodes_[node].holds_data = true;
    if (group_class == "NXevent_data") {
      result_.event_groups.push_back({path_of(node), nodes_[node].address, !nodes_[node].no_detector});
    }

    struct Context {
      Walk* walk;
      uint32_t node;
    } context{this, node};
    auto on_link = [](hid_t parent, const char* link, const H5L_info_t* info, void* data) -> herr_t {
      auto [self, from] = *static_cast<Context*>(data);
      if (info->type == H5L_TYPE_HARD) {
        self->add(info->u.address, from, link);
      } else if (info->type == H5L_TYPE_EXTERNAL) {
        auto target = self->result_.external_links.count == 0 ? external_target(parent, link, info->u.val_size) : std::string();
        see(self->result_.external_links, fmt::format("{}/{} -> {}", self->shown(from), display(link, kFieldTextBytes), target));
      }
      return self->nodes_.size() < self->limits_.objects ? 0 : 1;
    };
    hsize_t start = 0;  // in the order stored: sorting first, libhdf5 1.10.8 frees what it never filled when a group is damaged
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &start, on_link, &context) < 0) damage(node, "the list of members");
  }

  void visit_dataset(uint32_t node, hid_t dataset) {
    Hid creation(H5Dget_create_plist(dataset));
    if (!creation) return damage(node, "the description");
    H5D_layout_t layout = H5Pget_layout(creation);
    if (layout == H5D_VIRTUAL) {  // even asking for its extent may open the files it is made of
      if (nodes_[node].holds_data) keep_histogram(node);
      return see(result_.virtual_datasets, shown(node));
    }
    if (H5Pget_external_count(creation) > 0) {
      auto target = result_.external_storage.count == 0 ? external_file(creation) : std::string();
      return see(result_.external_storage, fmt::format("{} -> {}", shown(node), target));
    }
    Hid space(H5Dget_space(dataset)), type(H5Dget_type(dataset));
    if (!space || !type) return damage(node, "the shape");
    if (nodes_[node].holds_data && H5Sget_simple_extent_ndims(space) >= 2 && is_number(type)) keep_histogram(node);
    if (layout == H5D_CONTIGUOUS) {
      haddr_t address = H5Dget_offset(dataset);
      if (address != HADDR_UNDEF && H5Tis_variable_str(type) > 0) look_at_text(node, address);
      hsize_t stored = H5Dget_storage_size(dataset);
      if (address != HADDR_UNDEF && (address > bytes_.size_bytes() || stored > bytes_.size_bytes() - address) &&
          result_.damaged.empty()) {
        result_.damaged = fmt::format("{} should have {} bytes at {}, beyond the end of the file", shown(node), stored, address);
      }
    } else if (layout == H5D_CHUNKED) {
      visit_chunks(node, dataset, space, creation);
    }
  }

  void visit_chunks(uint32_t node, hid_t dataset, hid_t space, hid_t creation) {
    bool deflated = false;
    for (int i = 0, count = H5Pget_nfilters(creation); i < count; ++i) {
      unsigned flags = 0, settings = 0;
      size_t values = 0;
      H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &settings);
      if (filter != H5Z_FILTER_FLETCHER32) deflated = filter == H5Z_FILTER_DEFLATE;  // the last one that shapes the stored bytes
      if (H5Zfilter_avail(filter) <= 0) see(result_.missing_filters, fmt::format("filter {} of {}", filter, shown(node)));
    }
    hsize_t chunks = 0;
    if (H5Dget_num_chunks(dataset, space, &chunks) < 0) return damage(node, "the chunk index");
    if (!deflated) return;
    hsize_t reach = std::min(chunks, kChunksCountedMost);
    hsize_t step = std::max<hsize_t>(1, reach / kChunksLookedAt);
    for (hsize_t index = 0; index < reach; index += step) look_at_chunk(node, dataset, space, index);
    if (reach > 1) look_at_chunk(node, dataset, space, reach - 1);
  }

  /// A text of variable length is kept as length, address of a global heap and index in it; there must be a heap.
  void look_at_text(uint32_t node, haddr_t address) {
    constexpr size_t kLengthBytes = 4, kAddressBytes = 8;  // addresses of another size are rare, and left alone
    auto reference = bytes_.read(address, kLengthBytes + kAddressBytes);
    if (!reference || reference->size() < kLengthBytes + kAddressBytes) return;
    uint32_t length = 0;
    uint64_t heap = 0;
    std::memcpy(&length, reference->data(), kLengthBytes);
    std::memcpy(&heap, reference->data() + kLengthBytes, kAddressBytes);
    if (length == 0 || heap == 0 || heap > bytes_.size_bytes() || address_bytes_ != kAddressBytes) return;
    auto signature = bytes_.read(heap + user_block_, 4);
    if (signature && only_zeros(*signature) && result_.damaged.empty()) {
      result_.damaged = fmt::format("where the text of {} should be, at {}, there are only zeros", shown(node), heap + user_block_);
    }
  }

  /// What deflate wrote begins with a header and ends with a checksum (RFC 1950), neither of which is 0: zeros there were never
  /// written.
  void look_at_chunk(uint32_t node, hid_t dataset, hid_t space, hsize_t index) {
    hsize_t offset[H5S_MAX_RANK], stored = 0;
    unsigned skipped_filters = 0;
    haddr_t address = HADDR_UNDEF;
    if (H5Dget_chunk_info(dataset, space, index, offset, &skipped_filters, &address, &stored) < 0)
      return damage(node, "the chunk index");
    constexpr hsize_t kLookedAtBytes = 16;
    if (address == HADDR_UNDEF || stored < kLookedAtBytes || skipped_filters != 0 || !result_.damaged.empty()) return;
    auto bytes = bytes_.read(address, kLookedAtBytes);
    if (user_block_ > 0 && !(bytes && bytes->size() == kLookedAtBytes && is_zlib(*bytes))) {
      address += user_block_;  // libhdf5 1.10.8 leaves the user block out of the address; later versions do not
      bytes = bytes_.read(address, kLookedAtBytes);
    }
    auto end = bytes_.read(address + stored - kLookedAtBytes, kLookedAtBytes);
    if (!bytes || !end || end->size() < kLookedAtBytes) {
      result_.damaged = fmt::format("chunk {} of {} should lie at {}, beyond the end of the file", index, shown(node), address);
    } else if (only_zeros(*bytes) || only_zeros(*end)) {
      result_.damaged = fmt::format("where chunk {} of {} should be, at {}, there are only zeros", index, shown(node), address);
    } else if (!is_zlib(*bytes)) {
      see(result_.bad_chunks, fmt::format("chunk {} of {}", index, shown(node)));
    }
  }

  static bool only_zeros(std::string_view bytes) { return bytes.find_first_not_of('\0') == bytes.npos; }

  static bool is_zlib(std::string_view bytes) {
    auto method = static_cast<uint8_t>(bytes[0]), flags = static_cast<uint8_t>(bytes[1]);
    return (method & 0x0F) == 8 && (method * 256 + flags) % 31 == 0;
  }

  static bool is_number(hid_t type) {
    H5T_class_t type_class = H5Tget_class(type);
    return type_class == H5T_INTEGER || type_class == H5T_FLOAT;
  }

  void keep_histogram(uint32_t node) {
    std::string path = path_of(node);
    std::string_view entry = std::string_view(path).substr(0, path.find('/', 1) + 1);
    bool known = std::any_of(result_.histograms.begin(), result_.histograms.end(),
                             [&](const auto& kept) { return kept.starts_with(entry); });
    if (!known && result_.histograms.size() < kHistogramsKept) result_.histograms.push_back(std::move(path));
  }

  const hid_t file_;
  const InputFile& bytes_;
  const uint64_t user_block_;
  const size_t address_bytes_;
  const WalkLimits& limits_;
  std::vector<Node> nodes_;
  std::unordered_set<haddr_t> seen_;
  WalkResult result_;
};

}  // namespace

WalkResult walk(hid_t file, const InputFile& bytes, uint64_t user_block, const WalkLimits& limits) {
  return Walk(file, bytes, user_block, limits).run();
}

}  // namespace nexus
