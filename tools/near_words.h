// What somebody may have meant who typed a word that is none of those there are.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tools {

/// Those of `known` that are a slip of the finger away from `word`, or that it begins; nearest first, at most three.
std::vector<std::string> near_words(std::string_view word, std::span<const std::string> known);
/// "; did you mean MARI?" or "; did you mean status or start?"; empty when none is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace tools
