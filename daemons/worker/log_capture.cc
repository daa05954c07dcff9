#include "daemons/worker/log_capture.h"

#include <fmt/format.h>

#include <algorithm>

namespace daemons {

void LogCapture::add(std::string_view bytes) {
  total_ += bytes.size();
  size_t first = std::min(bytes.size(), head_limit_ - head_.size());
  head_.append(bytes.substr(0, first));
  bytes.remove_prefix(first);
  if (bytes.size() >= tail_limit_) {
    ring_.assign(bytes.substr(bytes.size() - tail_limit_));
    oldest_ = 0;
    return;
  }
  size_t growing = std::min(bytes.size(), tail_limit_ - ring_.size());
  ring_.append(bytes.substr(0, growing));
  bytes.remove_prefix(growing);
  while (!bytes.empty()) {
    size_t step = std::min(bytes.size(), tail_limit_ - oldest_);
    ring_.replace(oldest_, step, bytes.substr(0, step));
    oldest_ = (oldest_ + step) % tail_limit_;
    bytes.remove_prefix(step);
  }
}

void LogCapture::note(std::string_view line) {
  std::string end = tail();
  bool open_line = !end.empty() ? end.back() != '\n' : !head_.empty() && head_.back() != '\n';
  add(fmt::format("{}runledger: {}\n", open_line ? "\n" : "", line));
}

std::string LogCapture::tail() const { return ring_.substr(oldest_) + ring_.substr(0, oldest_); }

std::string LogCapture::text() const {
  uint64_t left_out = total_ - head_.size() - ring_.size();
  if (left_out == 0) return head_ + tail();
  return fmt::format("{}\n[runledger: {} bytes left out here, of {} printed]\n{}", head_, left_out, total_, tail());
}

std::string LogCapture::last_line(size_t limit) const {
  std::string end = ring_.empty() ? head_ : tail();
  size_t last = end.find_last_not_of(" \t\r\n");
  if (last == std::string::npos) return {};
  size_t begin = end.find_last_of("\r\n", last);
  begin = begin == std::string::npos ? 0 : begin + 1;
  return end.substr(begin, std::min(limit, last + 1 - begin));
}

}  // namespace daemons
