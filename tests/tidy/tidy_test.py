"""The house is in order: includes point one way, third-party types stay inside, every source is built, every doc link leads somewhere."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder -> folders it may include. A new edge is a decision: docs/architecture.md.
MAY_INCLUDE = {
    "base": set(),
    "schema": set(),
    "ledger/proof": {"base", "schema"},
    "ledger/transfer": {"base", "schema", "ledger/proof", "ledger"},  # of the ledger: headers of its keys, limits and bytes
    "ledger": {"base", "schema", "ledger/proof", "ledger/transfer"},
    "nexus": {"base", "schema"},
    "ldap": {"base"},
    "site": {"base"},
    "scripts": {"base", "schema"},
    "rpc": {"base", "schema"},
    "rpc/access": {"base", "schema"},
    "rpc/service": {"base", "schema", "ledger", "ledger/proof", "rpc", "rpc/access"},
    "daemons": {"base", "schema", "ledger", "ledger/proof", "ledger/transfer", "ldap", "rpc", "rpc/access", "rpc/service", "scripts", "site"},
    "tools": {"base", "schema", "ledger/proof", "rpc", "scripts", "site"},
    "tools/verify": {"base", "schema", "ledger/proof", "ledger/transfer", "tools"},
}
# Headers of these libraries are not included in any header that another folder includes.
INSIDE_ONLY = ("rocksdb/", "hdf5.h", "H5", "uv.h", "toml++/", "ldap.h", "lber.h", "openldap.h", "openssl/", "curl/")
INCLUDE = re.compile(r'^\s*#include\s+["<]([^">]+)[">]')


def tracked(*patterns):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).exists()]


def folder_of(path):
    """The key of MAY_INCLUDE that a root-relative path belongs to."""
    text = str(path)
    return max((key for key in MAY_INCLUDE if text.startswith(key + "/")), key=len, default=None)


def includes(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


class TidyTest(unittest.TestCase):
    def sources(self):
        return [p for p in tracked("*.cc", "*.h") if folder_of(p.relative_to(ROOT))]

    def test_includes_point_one_way(self):
        wrong = []
        for path in self.sources():
            own = folder_of(path.relative_to(ROOT))
            for number, name in includes(path):
                target = folder_of(name)
                if target and target != own and target not in MAY_INCLUDE[own]:
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: {own} may not include {name}")
        self.assertEqual(wrong, [])

    def test_third_party_types_stay_out_of_the_headers_others_include(self):
        wrong = []
        used_by_others = set()
        for path in self.sources():
            own = folder_of(path.relative_to(ROOT))
            used_by_others |= {name for _, name in includes(path) if folder_of(name) not in (None, own)}
        for name in used_by_others:
            header = ROOT / name
            if header.exists():
                wrong += [f"{name}:{number}: {include}" for number, include in includes(header) if include.startswith(INSIDE_ONLY)]
        self.assertEqual(wrong, [])

    def test_every_source_is_built(self):
        lists = "\n".join(path.read_text() for path in tracked("*CMakeLists.txt"))
        unbuilt = [str(p.relative_to(ROOT)) for p in tracked("*.cc") if not re.search(rf"(^|[\s/(]){re.escape(p.name)}(\s|\)|$)", lists)]
        self.assertEqual(unbuilt, [])

    def test_no_type_name_stands_twice_in_one_namespace(self):
        # Symptom: failed scripts were shown as succeeded, because the linker took another folder's struct of the same name.
        seen, twice = {}, []
        for path in self.sources():
            if path.suffix != ".h":
                continue
            text = path.read_text(errors="replace")
            namespace = re.search(r"^namespace (\w+) \{", text, re.M)
            for name in re.findall(r"^(?:struct|class) (\w+)(?: final)?(?: :[^;{]*)? ?\{", text, re.M) if namespace else []:
                key = f"{namespace.group(1)}::{name}"
                if key in seen:
                    twice.append(f"{key} in {seen[key]} and {path.relative_to(ROOT)}")
                seen[key] = path.relative_to(ROOT)
        self.assertEqual(twice, [])

    def test_document_links_lead_somewhere(self):
        dead = []
        for path in tracked("*.md"):
            for link in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
                if "://" not in link and not (path.parent / link).exists():
                    dead.append(f"{path.relative_to(ROOT)}: {link}")
        self.assertEqual(dead, [])

    def test_every_word_for_an_action_is_explained(self):
        words = re.findall(r'\{Action::\w+, "(\w+)"', (ROOT / "rpc/access/policy.cc").read_text())
        page = (ROOT / "docs/operations/access.md").read_text()
        self.assertGreater(len(words), 0)
        self.assertEqual([word for word in words if f"`{word}`" not in page], [], "docs/operations/access.md explains what accessDenied events say")

    def test_every_top_folder_says_what_it_is(self):
        folders = {p.relative_to(ROOT).parts[0] for p in tracked() if len(p.relative_to(ROOT).parts) > 1}
        silent = [f for f in sorted(folders) if not f.startswith(".") and f not in ("cmake", "docs", "tests") and not (ROOT / f / "README.md").exists()]
        self.assertEqual(silent, [])

    def test_disabled_tests_say_why(self):
        silent = []
        for path in tracked("tests/*.cc"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if "DISABLED_" in line or ("GTEST_SKIP()" in line and "<<" not in line):
                    silent.append(f"{path.relative_to(ROOT)}:{number}")
        self.assertEqual(silent, [])


if __name__ == "__main__":
    unittest.main()
