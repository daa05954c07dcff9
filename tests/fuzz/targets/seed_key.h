// The key that signed the seeds. It is nobody's.
#pragma once

#include <string_view>

namespace fuzz {

inline constexpr std::string_view kSeedKey =
    "PRIVATE+KEY+runledger/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+8cb0cc93+ARlCtBlLXf51fEPupaDh7St/MEZYXCCGUKuEvCV8jXJd";

}  // namespace fuzz
