// What a real slapd answers, for the corpus of ldap_answers.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace fuzz {

/// Starts slapd with the made-up facility of the tests and asks it. `write(name, input)`.
void record_ldap(const std::function<void(const std::string& name, std::string_view input)>& write);

}  // namespace fuzz
