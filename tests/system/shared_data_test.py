"""Real raw files of many facilities, all at once: what the ledger says agrees with what is known of them."""

import json
import os
import pathlib
import shutil
import unittest

from site_under_test import SHARED_DATA, SiteUnderTest

OPEN_WITH_H5PY = """
import h5py, os

def main(input_file, output_dir):
    with h5py.File(input_file, "r") as file:
        names = sorted(file)
    with open(os.path.join(output_dir, "opened.txt"), "w") as out:
        out.write(input_file + "\\n" + "\\n".join(names))
"""


@unittest.skipUnless(SHARED_DATA.is_dir(), f"the real raw files are not at {SHARED_DATA}; set RUNLEDGER_SHARED_DATA")
class SharedDataTest(unittest.TestCase):
    def setUp(self):
        self.site = SiteUnderTest()
        self.addCleanup(self.site.close)

    def test_every_real_file_dropped_at_once_agrees_with_the_facts(self):
        facts = {fact["dest"]: fact for fact in json.loads((SHARED_DATA / "facts.json").read_text())}
        homes = {}
        for dest, fact in facts.items():
            entries = [e for e in fact.get("entries") or [] if e.get("NX_class") == "NXentry"]
            stem = pathlib.Path(dest).name
            for name, prefix in (("ENGINX", "ENGINX"), ("IMAT", "IMAT"), ("IRIS", "IRIS"), ("SANS2D", "SANS2D"), ("POLREF", "POLREF"),
                                 ("CRISP", "CSP"), ("INTER", "INTER"), ("HIFI", "HIFI"), ("ARGUS", "argus"), ("EQ-SANS", "EQSANS"),
                                 ("HYSPECA", "HYSA"), ("AMOR", "amor"), ("POLDI", "poldi"), ("IN4", "ILLIN4"), ("LRMECS", "lrcs"),
                                 ("USAXS", "AgB"), ("K11", "k11"), ("I03", "Therm"), ("POLLUX", "Sample")):
                if stem.startswith(prefix):
                    homes[dest] = (name, bool(entries))
        self.assertEqual(len(homes), 24)
        patterns = ["*.nxs", "*.raw", "*.hdf", "*.hdf5", "*.nx5", "*.nxs.h5", "*.h5"]
        folders = {name: self.site.instrument(name, OPEN_WITH_H5PY, files=patterns) for name in {name for name, _ in homes.values()}}
        self.site.start()
        for dest, (name, _) in homes.items():
            target = folders[name] / pathlib.Path(dest).relative_to(pathlib.Path(dest).parts[0])
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SHARED_DATA / dest, target)

        real = [dest for dest, (_, is_run) in homes.items() if is_run]
        self.assertEqual(len(real), 19)

        def all_done():
            runs = self.site.json("runs")
            done = [run for run in runs if run["state"] == "succeeded"]
            settled = all(run["state"] in ("succeeded", "refused") for run in runs)
            return runs if len(done) == len(real) and settled and len(runs) >= 21 else None

        runs = self.site.wait_for(all_done, "19 runs reduced, the two others refused")
        by_file = {os.path.basename(run["raw_files"][0]["path"]): run for run in runs}
        for dest in real:
            fact, run = facts[dest], by_file[pathlib.Path(dest).name]
            with self.subTest(dest):
                self.assertEqual(run["raw_files"][0]["sha256"], fact["sha256"])
                self.assertEqual(run["raw_files"][0]["size_bytes"], fact["size"])
                self.assertEqual(run["version"], 1)
                entry = fact["entries"][0]
                title = (entry.get("title") or {}).get("value")
                self.assertEqual(run["title"], title.strip() if title and title.strip() else None)
                experiment = (entry.get("experiment_id") or {}).get("value")
                self.assertEqual(run["experiment"], experiment.strip() if experiment and experiment.strip() else None)
                inside = (entry.get("run_number") or {}).get("value")
                if inside and int(inside) != run["run_number"]:
                    self.assertTrue(any(str(inside) in problem for problem in run["problems"]), run["problems"])
        numbers = {(run["instrument"], run["run_number"]): run for run in runs}
        self.assertEqual(numbers[("IRIS", 103225)]["state"], "succeeded")
        self.assertIn("HDF4", numbers[("ARGUS", 44309)]["reason"])
        self.assertEqual(numbers[("ARGUS", 44309)]["state"], "refused")
        self.assertIn("LFS", numbers[("AMOR", 6003)]["reason"])
        self.assertEqual(len([key for key in numbers if key[0] == "INTER"]), 1)
        opened = sorted((self.site.folder / "output").rglob("opened.txt"))
        self.assertEqual(len(opened), len(real))


if __name__ == "__main__":
    unittest.main()
