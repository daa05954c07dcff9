// Whether two JSON texts are the same value to a script.
#pragma once

#include <string_view>

namespace ledger {

/// Whatever their blanks, order of names and ways of writing a number; 1 and 1.0 are two values. Texts that are no JSON are the same when
/// their bytes are.
bool same_json(std::string_view one, std::string_view other);

}  // namespace ledger
