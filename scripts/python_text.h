// What a Python text says it needs, found by reading its lines: it need not be valid for any Python.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace scripts {

/// `import a.b` is {0, "a.b", {}}; `from ..a import b, c` is {2, "a", {"b", "c"}}; of `from a import *` the names are left out.
struct ImportLine {
  unsigned level = 0;  // dots before the module
  std::string module;  // "a.b"; empty: `from . import x`
  std::vector<std::string> names;
};

struct PythonText {
  std::vector<ImportLine> imports;      // in the order of the text
  std::vector<std::string> quoted;      // texts in quotes that a file's name could be, each once, in the order of the text
  std::vector<std::string> conda_envs;  // what CONDA_ENV is set to, as written, each once
  bool cut = false;                     // there was more of these than kMostNames
};

inline constexpr size_t kMostNames = 2000;  // import lines of a text; names in quotes; and names of one import line

/// Reads Python 2 and 3, templates before they are filled, and anything else: BOM, tabs, CRLF, bytes that are not UTF-8. What stands in
/// comments is passed over, and import lines that stand in a text between quotes, too.
PythonText read_python(std::string_view text);

}  // namespace scripts
