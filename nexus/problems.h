// The list of what is odd about a file, one sentence each, bounded.
#pragma once

#include <string>
#include <vector>

#include "nexus/fields.h"

namespace nexus {

class Problems {
 public:
  void add(std::string_view sentence) {
    if (sentences_.size() < kMost) {
      sentences_.push_back(display(sentence, kBytesEach));
    } else {
      ++left_out_;
    }
  }
  std::vector<std::string> take() {
    if (left_out_ > 0) sentences_.push_back("and " + std::to_string(left_out_) + " more problems, which are left out here");
    return std::move(sentences_);
  }

 private:
  static constexpr size_t kMost = 31, kBytesEach = 512;
  std::vector<std::string> sentences_;
  size_t left_out_ = 0;
};

}  // namespace nexus
