// How a call that may fail says so. No exception crosses a folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace base {

/// What the caller does next. Names and numbers are those of schema::Refusal::Code; never renumber.
enum class Code : uint16_t {
  kOk = 0,
  kNotFound = 1,
  kAlreadyExists = 2,
  kConflict = 3,          // true of another state than the one there is now
  kInvalidArgument = 4,
  kPermissionDenied = 5,
  kUnavailable = 6,       // try again
  kTimedOut = 7,
  kCorruption = 8,
  kUnsupportedVersion = 9,
  kInternal = 10,
};

std::string_view code_name(Code code);

/// The outcome of a call: kOk, or a code and one sentence with subject, cause and next step.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status ok() { return {}; }

  bool is_ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  /// Puts a subject in front of the message: "site.toml: ...".
  Status in(std::string_view subject) const;
  /// States that the outcome is of no interest here.
  void ignore() const {}

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

/// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {}

  bool is_ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace base
