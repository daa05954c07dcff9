#include "nexus/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>

#include "base/text.h"

namespace nexus {
namespace {

constexpr int kSoftLinksMost = 16;
constexpr size_t kLinkValueBytesMost = 4096;
constexpr hsize_t kAttributeBytesMost = 64 << 10;

std::deque<std::string> components(std::string_view path) {
  std::deque<std::string> names;
  while (!path.empty()) {
    size_t end = std::min(path.find('/'), path.size());
    std::string_view name = path.substr(0, end);
    if (!name.empty() && name != ".") names.emplace_back(name);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

std::string_view class_name(H5T_class_t type_class) {
  switch (type_class) {
    case H5T_COMPOUND:
      return "a compound";
    case H5T_ENUM:
      return "an enumeration";
    case H5T_ARRAY:
      return "an array type";
    case H5T_VLEN:
      return "a variable-length list";
    case H5T_OPAQUE:
      return "opaque bytes";
    case H5T_REFERENCE:
      return "a reference";
    case H5T_BITFIELD:
      return "a bit field";
    case H5T_TIME:
      return "an HDF5 time";
    default:
      return "of a type without a name";
  }
}

/// Elements of a dataspace; nullopt when the product does not fit.
std::optional<hsize_t> element_count(const std::vector<hsize_t>& extent) {
  hsize_t count = 1;
  for (hsize_t length : extent) {
    if (__builtin_mul_overflow(count, length, &count)) return std::nullopt;
  }
  return count;
}

std::string shape_text(const std::vector<hsize_t>& extent) { return fmt::format("[{}]", fmt::join(extent, ", ")); }

/// Bytes libhdf5 takes in at once to get at one element: a whole chunk, or everything.
std::optional<hsize_t> bytes_taken_in(hid_t dataset, hid_t creation, size_t type_bytes) {
  if (H5Pget_layout(creation) != H5D_CHUNKED) return H5Dget_storage_size(dataset);
  hsize_t chunk[H5S_MAX_RANK];
  int rank = H5Pget_chunk(creation, H5S_MAX_RANK, chunk);
  if (rank < 0) return std::nullopt;
  std::vector<hsize_t> lengths(chunk, chunk + rank);
  lengths.push_back(type_bytes);
  return element_count(lengths);
}

/// Refuses what a variable-length string would make us allocate above the limit.
void* limited_alloc(size_t size, void*) { return size > kStoredBytesMost ? nullptr : std::malloc(size); }
void plain_free(void* memory, void*) { std::free(memory); }

/// The texts of a string dataset; nullopt: unreadable.
std::optional<std::vector<std::string>> read_texts(hid_t dataset, hid_t type, size_t count) {
  std::vector<std::string> texts;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> pointers(count, nullptr);
    Hid transfer(H5Pcreate(H5P_DATASET_XFER));
    H5Pset_vlen_mem_manager(transfer, limited_alloc, nullptr, plain_free, nullptr);
    bool whole = H5Dread(dataset, type, H5S_ALL, H5S_ALL, transfer, pointers.data()) >= 0;
    for (char* pointer : pointers) {
      texts.emplace_back(pointer == nullptr ? "" : pointer);
      std::free(pointer);
    }
    if (!whole) return std::nullopt;
    return texts;
  }
  size_t width = H5Tget_size(type);
  std::string bytes(width * count, '\0');
  if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0) return std::nullopt;
  char padding = H5Tget_strpad(type) == H5T_STR_SPACEPAD ? ' ' : '\0';
  for (size_t i = 0; i < count; ++i) {
    std::string_view text(bytes.data() + i * width, width);
    while (!text.empty() && (text.back() == '\0' || text.back() == padding)) text.remove_suffix(1);
    texts.emplace_back(text);
  }
  return texts;
}

struct Number {
  bool negative = false;
  uint64_t magnitude = 0;
  double real = 0;
  std::string text;
};

template <typename T>
std::optional<std::vector<T>> read_array(hid_t dataset, hid_t memory_type, size_t count) {
  std::vector<T> values(count);
  if (H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) return std::nullopt;
  return values;
}

std::optional<std::vector<Number>> read_numbers(hid_t dataset, hid_t type, size_t count) {
  std::vector<Number> numbers;
  if (H5Tget_class(type) == H5T_FLOAT) {
    auto values = read_array<double>(dataset, H5T_NATIVE_DOUBLE, count);
    if (!values) return std::nullopt;
    bool single = H5Tget_size(type) <= sizeof(float);
    for (double value : *values)
      numbers.push_back({false, 0, value, single ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value)});
  } else if (H5Tget_sign(type) == H5T_SGN_NONE) {
    auto values = read_array<uint64_t>(dataset, H5T_NATIVE_UINT64, count);
    if (!values) return std::nullopt;
    for (uint64_t value : *values) numbers.push_back({false, value, static_cast<double>(value), fmt::format("{}", value)});
  } else {
    auto values = read_array<int64_t>(dataset, H5T_NATIVE_INT64, count);
    if (!values) return std::nullopt;
    for (int64_t value : *values) {
      uint64_t magnitude = value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
      numbers.push_back({value < 0, magnitude, static_cast<double>(value), fmt::format("{}", value)});
    }
  }
  return numbers;
}

std::string listed(const std::vector<std::string>& texts) { return fmt::format("[{}]", fmt::join(texts, ", ")); }

/// Fills `value` from an open dataset.
void read_dataset(hid_t dataset, Value& value) {
  value.kind = Value::Kind::kUnusable;
  Hid creation(H5Dget_create_plist(dataset));
  if (!creation) {
    value.trouble = fmt::format("cannot be read ({})", hdf5_error());
    return;
  }
  if (H5Pget_layout(creation) == H5D_VIRTUAL) {
    value.trouble = "is a virtual dataset, made of other files, which are not read";
    return;
  }
  if (H5Pget_external_count(creation) > 0) {
    value.trouble = fmt::format("keeps its data in another file ({}), which is not read", external_file(creation));
    return;
  }
  Hid type(H5Dget_type(dataset)), space(H5Dget_space(dataset));
  if (!type || !space) {
    value.trouble = fmt::format("cannot be read ({})", hdf5_error());
    return;
  }
  if (H5Sget_simple_extent_type(space) == H5S_NULL) {
    value.trouble = "has no value (a null dataspace)";
    return;
  }
  std::vector<hsize_t> extent(static_cast<size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
  H5Sget_simple_extent_dims(space, extent.data(), nullptr);
  auto count = element_count(extent);
  H5T_class_t type_class = H5Tget_class(type);
  if (type_class != H5T_STRING && type_class != H5T_INTEGER && type_class != H5T_FLOAT) {
    value.trouble = fmt::format("is {}, not a number or a text", class_name(type_class));
    return;
  }
  if (count == hsize_t{0}) {
    value.trouble = fmt::format("has no value (shape {})", shape_text(extent));
    return;
  }
  if (!count || *count > kElementsMost || extent.size() > 2) {
    value.trouble = fmt::format("is an array of shape {}, not one value", shape_text(extent));
    return;
  }
  size_t type_bytes = H5Tget_size(type);
  auto taken_in = bytes_taken_in(dataset, creation, type_bytes);
  if (!taken_in || *taken_in > kStoredBytesMost || type_bytes > kStoredBytesMost / kElementsMost) {
    value.trouble = fmt::format("takes more than {} MiB to read", kStoredBytesMost >> 20);
    return;
  }
  if (type_class == H5T_INTEGER && type_bytes > sizeof(uint64_t)) {
    value.trouble = fmt::format("is an integer of {} bytes", type_bytes);
    return;
  }

  auto elements = static_cast<size_t>(*count);
  if (type_class == H5T_STRING) {
    auto texts = read_texts(dataset, type, elements);
    if (!texts) {
      value.trouble = fmt::format("cannot be read ({})", hdf5_error());
      return;
    }
    value.stored = elements == 1 ? texts->front() : listed(*texts);
    if (elements == 1) {
      value.kind = Value::Kind::kText;
      bool ends_at_nul = H5Tis_variable_str(type) <= 0 && H5Tget_strpad(type) == H5T_STR_NULLTERM;
      value.text = ends_at_nul ? value.stored.substr(0, value.stored.find('\0')) : value.stored;
    }
  } else {
    auto numbers = read_numbers(dataset, type, elements);
    if (!numbers) {
      value.trouble = fmt::format("cannot be read ({})", hdf5_error());
      return;
    }
    std::vector<std::string> texts;
    for (const Number& number : *numbers) texts.push_back(number.text);
    value.stored = elements == 1 ? texts.front() : listed(texts);
    if (elements == 1) {
      value.kind = type_class == H5T_FLOAT ? Value::Kind::kReal : Value::Kind::kInteger;
      value.negative = numbers->front().negative;
      value.magnitude = numbers->front().magnitude;
      value.real = numbers->front().real;
    }
  }
  if (elements > 1) value.trouble = fmt::format("is an array of shape {}, not one value", shape_text(extent));
}

}  // namespace

std::string display(std::string_view bytes, size_t limit) {
  bytes = bytes.substr(0, limit < SIZE_MAX / 2 ? limit + 8 : limit);  // one byte is at least one byte of text
  std::string visible;
  for (char c : bytes) {
    if (c == '\0') {
      visible += "\\x00";
    } else {
      visible += c;
    }
  }
  return base::to_utf8(visible, limit);
}

FieldReader::Found FieldReader::find(hid_t from, std::string_view path) const {
  Hid at(path.starts_with('/') ? H5Gopen2(file_, "/", H5P_DEFAULT) : H5Oopen(from, ".", H5P_DEFAULT));
  if (!at) return {Hid(), fmt::format("cannot be opened ({})", hdf5_error())};
  auto names = components(path);
  for (int soft_links = 0; !names.empty();) {
    std::string name = std::move(names.front());
    names.pop_front();
    if (H5Iget_type(at) != H5I_GROUP) return {};
    htri_t exists = H5Lexists(at, name.c_str(), H5P_DEFAULT);
    if (exists == 0) return {};
    H5L_info_t link;
    if (exists < 0 || H5Lget_info(at, name.c_str(), &link, H5P_DEFAULT) < 0)
      return {Hid(), fmt::format("cannot be looked up ({})", hdf5_error())};
    if (link.type == H5L_TYPE_HARD) {
      at = Hid(H5Oopen(at, name.c_str(), H5P_DEFAULT));
      if (!at) return {Hid(), fmt::format("cannot be opened ({})", hdf5_error())};
    } else if (link.type == H5L_TYPE_SOFT) {
      if (++soft_links > kSoftLinksMost) return {Hid(), "is a soft link that leads in a circle"};
      std::string target(std::min(link.u.val_size, kLinkValueBytesMost) + 1, '\0');
      if (link.u.val_size > kLinkValueBytesMost || H5Lget_val(at, name.c_str(), target.data(), target.size(), H5P_DEFAULT) < 0) {
        return {Hid(), "is a soft link that cannot be read"};
      }
      target.resize(std::strlen(target.c_str()));
      if (target.starts_with('/')) at = Hid(H5Gopen2(file_, "/", H5P_DEFAULT));
      auto before = components(target);
      names.insert(names.begin(), before.begin(), before.end());
    } else {
      auto target =
          link.type == H5L_TYPE_EXTERNAL ? external_target(at, name.c_str(), link.u.val_size) : "a link of a private kind";
      return {Hid(), fmt::format("is a link to another file ({}), which is not followed", target)};
    }
  }
  return {std::move(at), ""};
}

Value FieldReader::read(hid_t group, std::string_view group_path, std::string_view name) const {
  Value value;
  value.path = display(fmt::format("{}/{}", group_path == "/" ? "" : group_path, name), kFieldTextBytes);
  Found found = find(group, name);
  if (!found.object) {
    value.kind = found.trouble.empty() ? Value::Kind::kAbsent : Value::Kind::kUnusable;
    value.trouble = found.trouble;
    return value;
  }
  if (H5Iget_type(found.object) != H5I_DATASET) {
    value.kind = Value::Kind::kUnusable;
    value.trouble = H5Iget_type(found.object) == H5I_GROUP ? "is a group, not a value" : "is a named type, not a value";
    return value;
  }
  read_dataset(found.object, value);
  value.unit = display(text_attribute(found.object, "units").value_or(""), kFieldTextBytes);
  return value;
}

std::optional<std::string> text_attribute(hid_t object, const char* name) {
  if (H5Aexists(object, name) <= 0) return std::nullopt;
  Hid attribute(H5Aopen(object, name, H5P_DEFAULT));
  if (!attribute || H5Aget_storage_size(attribute) > kAttributeBytesMost) return std::nullopt;
  Hid type(H5Aget_type(attribute)), space(H5Aget_space(attribute));
  if (!type || !space || H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) return std::nullopt;
  std::string text;
  if (H5Tis_variable_str(type) > 0) {
    char* pointer = nullptr;
    if (H5Aread(attribute, type, &pointer) < 0) return std::nullopt;
    if (pointer != nullptr) text = pointer;
    H5free_memory(pointer);
  } else {
    text.resize(H5Tget_size(type));
    if (H5Aread(attribute, type, text.data()) < 0) return std::nullopt;
    text.resize(std::min(text.find('\0'), text.size()));
  }
  size_t end = text.find_last_not_of(' ');
  text.resize(end == text.npos ? 0 : end + 1);
  return text;
}

std::string external_target(hid_t group, const char* link, size_t value_bytes) {
  if (value_bytes > kLinkValueBytesMost) return "another file";
  std::string value(value_bytes, '\0');
  unsigned flags = 0;
  const char *file = nullptr, *path = nullptr;
  if (H5Lget_val(group, link, value.data(), value.size(), H5P_DEFAULT) < 0 ||
      H5Lunpack_elink_val(value.data(), value.size(), &flags, &file, &path) < 0) {
    return "another file";
  }
  return fmt::format("{} : {}", display(file, kFieldTextBytes), display(path, kFieldTextBytes));
}

std::string external_file(hid_t creation_list) {
  char name[kFieldTextBytes + 1] = "";
  off_t offset = 0;
  hsize_t size = 0;
  if (H5Pget_external(creation_list, 0, kFieldTextBytes, name, &offset, &size) < 0) return "unnamed";
  return display(name, kFieldTextBytes);
}

}  // namespace nexus
