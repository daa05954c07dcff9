#include "base/experiment.h"

namespace base {

bool names_experiment(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.find_first_not_of("0123456789") != text.npos) return true;
  return !negative && text.find_first_not_of('0') != text.npos;
}

}  // namespace base
