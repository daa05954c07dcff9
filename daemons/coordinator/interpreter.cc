#include "daemons/coordinator/interpreter.h"

#include <string_view>

namespace daemons {

std::string interpreter_for(schema::InstrumentConfigured::Reader config, const std::string& conda_env) {
  constexpr std::string_view kPlace = "{env}";
  std::string python = config.getCondaPython().cStr();
  if (conda_env.empty() || python.empty()) return config.getInterpreter().cStr();
  for (size_t at = python.find(kPlace); at != std::string::npos; at = python.find(kPlace, at + conda_env.size())) python.replace(at, kPlace.size(), conda_env);
  return python;
}

}  // namespace daemons
