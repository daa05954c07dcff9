#include "scripts/python_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using scripts::read_python;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

/// "a.b", "..a: b c"
std::vector<std::string> imports(std::string_view text) {
  std::vector<std::string> words;
  for (const scripts::ImportLine& line : read_python(text).imports) {
    std::string word = std::string(line.level, '.') + line.module;
    if (!line.names.empty()) word += ':';
    for (const std::string& name : line.names) word += ' ' + name;
    words.push_back(word);
  }
  return words;
}

TEST(PythonTextTest, EveryFormOfAnImportLineIsRead) {
  EXPECT_THAT(imports("import a\nimport b.c as d, e\nfrom f.g import h, i as j\nfrom k import *\nfrom . import l\nfrom ..m.n import o\n"),
              ElementsAre("a", "b.c", "e", "f.g: h i", "k", ".: l", "..m.n: o"));
}

TEST(PythonTextTest, ImportsStandAnywhereAStatementBegins) {
  EXPECT_THAT(imports("def main():\n\timport a; import b\n  try: import c\n  except ImportError: pass\nif x: from d import e\n"),
              ElementsAre("a", "b", "c", "d: e"));
}

TEST(PythonTextTest, LinesThatGoOnAreOneLine) {
  EXPECT_THAT(imports("import a, \\\n  b\r\nfrom c import \\\r\n  d\nfrom e import (f,  # of the facility\n    g as h,\n\n    i,\n)\nimport j"),
              ElementsAre("a", "b", "c: d", "e: f g i", "j"));
}

TEST(PythonTextTest, CommentsAndTextsHoldNoImports) {
  EXPECT_THAT(imports("# import a\nx = 'import b'\n\"\"\"\nimport c\nimport d\n\"\"\"\nr'''\nimport e\n\\''' '''\nimport f\n"), ElementsAre("f"));
}

TEST(PythonTextTest, OddTextsAreReadAsFarAsTheyGo) {
  EXPECT_THAT(imports("\xef\xbb\xbfimport a\r\nprint 'Python 2 %s' % x\r\nexec \"import no\"\r\nimport b\rimport c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(imports("x = ${mask}\nimport ${module}\nfrom ${package} import d\nimport e\n"), ElementsAre("e"));
  EXPECT_THAT(imports("# caf\xe9 \xc5\nx = 'caf\xe9'\nimport a\n"), ElementsAre("a"));
  EXPECT_THAT(imports(std::string_view("\0\0import\0 (((\nimport a\n", 23)), ElementsAre("a"));
  EXPECT_THAT(imports("import\nfrom\nfrom . \nimport ,\nfrom a import\nfrom b import (\nimport c"), ElementsAre("a", "b", "c"));
}

TEST(PythonTextTest, QuoteThatIsNeverClosedHidesNothingBelowIt) {
  EXPECT_THAT(imports("x = 'never\nimport a\n\"\"\"never\nimport b\n"), ElementsAre("a", "b"));
}

TEST(PythonTextTest, NamesInQuotesAreThoseAFileCouldHave) {
  auto text = read_python("open('cfg.json'); load(r\"my launcher.sh\", u'x' 'cfg.json', b'''three.txt''', 'a/b', '..', 'm.pyc', 'tab\there', '')\n# 'no.cfg'\n");
  EXPECT_THAT(text.quoted, ElementsAre("cfg.json", "my launcher.sh", "x", "three.txt"));
}

TEST(PythonTextTest, CondaEnvIsReadWhereItIsSet) {
  EXPECT_THAT(read_python("CONDA_ENV = \"sans-dev\"\n  CONDA_ENV='sans-dev' # again\n# CONDA_ENV = 'no'\nif CONDA_ENV == 'no': pass\n").conda_envs,
              ElementsAre("sans-dev"));
  EXPECT_THAT(read_python("CONDA_ENV = 'a'\nCONDA_ENV = 'b'\n").conda_envs, ElementsAre("a", "b"));
  EXPECT_THAT(read_python("MY_CONDA_ENV = 'a'\nCONDA_ENV = name\n'''\nCONDA_ENV = 'b'\n'''").conda_envs, IsEmpty());
}

TEST(PythonTextTest, EndlessTextsEndSoon) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "\\\"\"\"";  // each could begin a text of its own
  EXPECT_THAT(imports(text + "\nimport a\n"), Contains("a"));
  std::string many = "from x import a0";
  for (int i = 1; i < 5000; ++i) many += ",a" + std::to_string(i);
  auto cut = read_python(many);
  EXPECT_EQ(cut.imports.at(0).names.size(), scripts::kMostNames);
  EXPECT_TRUE(cut.cut);
}

}  // namespace
