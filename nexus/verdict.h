// Why a file is not taken as a run: now (not yet) or at all (refused).
#pragma once

#include <optional>
#include <string>

namespace nexus {

/// Codes are the stable words of docs/formats/nexus_inputs.md; the text is one sentence for people.
struct Verdict {
  enum class Kind { kNotYet, kRefused };
  Kind kind;
  std::string code;
  std::string text;

  static Verdict not_yet(std::string code, std::string text) { return {Kind::kNotYet, std::move(code), std::move(text)}; }
  static Verdict refused(std::string code, std::string text) { return {Kind::kRefused, std::move(code), std::move(text)}; }
};

}  // namespace nexus
