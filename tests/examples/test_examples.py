"""The demonstration instruments: make_run.py writes a run of each layout, their scripts reduce it, the numbers must agree."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
EXAMPLES = os.path.join(ROOT, "examples")
RUNNER = os.path.join(ROOT, "tools", "runner", "run_script.py")
PICOCOULOMB_PER_MICROCOULOMB = 1e6


class ExampleTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="examples-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.output = os.path.join(self.folder, "output")
        os.mkdir(self.output)

    def make_run(self, name, layout, instrument, run, experiment, *options):
        path = os.path.join(self.folder, name)
        subprocess.run(
            [sys.executable, os.path.join(EXAMPLES, "make_run.py"), "--layout", layout, "--instrument", instrument,
             "--run", str(run), "--experiment", experiment, "--seed", "7", *options, path],
            check=True, stdout=subprocess.DEVNULL,
        )
        return path

    def reduce(self, contract, instrument, script, raw, siblings=(), variables=()):
        folder = os.path.abspath(os.path.join(EXAMPLES, "instruments", instrument))
        job = {
            "contract": contract,
            "script": os.path.join(folder, script),
            "script_path": os.path.join(folder, script),
            "siblings": {name: os.path.join(folder, name) for name in siblings},
            "input_files": [raw],
            "output_directory": self.output,
            "variables": list(variables),
            "result": os.path.join(self.folder, "result.json"),
        }
        path = os.path.join(self.folder, "job.json")
        with open(path, "w") as file:
            json.dump(job, file)
        ended = subprocess.run([sys.executable, RUNNER, path], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.printed = ended.stdout.decode()
        with open(job["result"]) as file:
            return json.load(file)

    def demotof(self, raw, plot=False, **variables):
        given = [{"group": "standard", "name": name, "value": value} for name, value in variables.items()]
        given.append({"group": "advanced", "name": "plot", "value": plot})
        return self.reduce("isis", "DEMOTOF", "reduce.py", raw, ["reduce_vars.py"], given)

    def demoevent(self, raw):
        return self.reduce("sns", "DEMOEVENT", "reduce_DEMOEVENT.py", raw)

    def assert_is_picture(self, name):
        with open(os.path.join(self.output, name), "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")

    def test_histograms_keep_their_sum_over_charge(self):
        raw = self.make_run("DEMOTOF00028001.nxs", "isis", "DEMOTOF", 28001, "2610001")
        with h5py.File(raw, "r") as file:
            entry = file["raw_data_1"]
            counts, charge = entry["detector_1/counts"][()], float(entry["proton_charge"][0])
            self.assertEqual(counts.dtype, np.int32)
            self.assertEqual(counts.shape[2] + 1, entry["detector_1/time_of_flight"].shape[0])
            self.assertEqual(entry["total_counts"][0], counts.sum())
        self.assertEqual(self.demotof(raw, plot=True)["outcome"], "succeeded")
        with h5py.File(os.path.join(self.output, "DEMOTOF00028001_reduced.nxs"), "r") as file:
            data = file["entry/data"]
            np.testing.assert_allclose(data["counts"][()].sum(), counts.sum() / charge, rtol=1e-12)
            np.testing.assert_allclose(data["counts_errors"][()] ** 2, data["counts"][()] / charge, rtol=1e-12)
            self.assertEqual(data["counts"].shape[0] + 1, data["tof"].shape[0])
        self.assert_is_picture("DEMOTOF00028001_spectrum.png")

    def test_variables_change_the_reduction_and_are_written_down(self):
        raw = self.make_run("DEMOTOF00028002.nxs", "isis", "DEMOTOF", 28002, "2610001")
        self.assertEqual(self.demotof(raw, tof_min=3000, tof_max=15000, tof_step=100.0)["outcome"], "succeeded")
        with h5py.File(raw, "r") as file:
            detector = file["raw_data_1/detector_1"]
            edges, counts = detector["time_of_flight"][()], detector["counts"][0].sum(axis=0)
        with h5py.File(os.path.join(self.output, "DEMOTOF00028002_reduced.nxs"), "r") as file:
            tof = file["entry/data/tof"][()]
            np.testing.assert_allclose(tof, np.arange(3000, 15001, 100))
            inside = counts[(edges[:-1] >= 3000) & (edges[1:] <= 15000)].sum()
            touching = counts[(edges[1:] > 3000) & (edges[:-1] < 15000)].sum()
            charge = file["entry/process/proton_charge"][()]
            total = file["entry/data/counts"][()].sum() * charge
            self.assertTrue(inside <= total * (1 + 1e-12) and total <= touching * (1 + 1e-12), (inside, total, touching))
            variables = json.loads(file["entry/process/variables"][()])
            self.assertEqual(variables["standard_vars"]["tof_step"], 100.0)

    def test_a_bragg_peak_is_where_it_belongs(self):
        raw = self.make_run("DEMOTOF00028003.nxs", "isis", "DEMOTOF", 28003, "2610001")
        self.demotof(raw, tof_min=13000, tof_max=15000)
        with h5py.File(os.path.join(self.output, "DEMOTOF00028003_reduced.nxs"), "r") as file:
            tof, counts = file["entry/data/tof"][()], file["entry/data/counts"][()]
        # CeO2 (111): d = 5.4113 / sqrt(3) angstrom, 2 theta = 90 degrees, 12.5 m: 252.778 us per metre and angstrom.
        expected = 252.778 * 12.5 * 2 * 5.4113 / np.sqrt(3) * np.sin(np.pi / 4)
        highest = np.argmax(counts / np.diff(tof))
        self.assertLess(abs(0.5 * (tof[highest] + tof[highest + 1]) - expected), 0.01 * expected)

    def test_a_period_that_is_not_there_is_named(self):
        raw = self.make_run("DEMOTOF00028004.nxs", "isis", "DEMOTOF", 28004, "2610001")
        result = self.demotof(raw, period=2)
        self.assertEqual(result["kind"], "script_exception")
        self.assertIn("period 2: this run has periods 1 to 1", result["message"])

    def test_a_run_without_beam_is_skipped(self):
        raw = self.make_run("DEMOTOF00028005.nxs", "isis", "DEMOTOF", 28005, "2610001")
        with h5py.File(raw, "r+") as file:
            file["raw_data_1/proton_charge"][0] = 0
        self.assertEqual(self.demotof(raw)["outcome"], "skipped")

    def test_events_keep_their_number_over_charge(self):
        raw = self.make_run("DEMOEVENT_1001.nxs.h5", "sns", "DEMOEVENT", 1001, "IPTS-1234", "--seconds", "10")
        with h5py.File(raw, "r") as file:
            entry = file["entry"]
            banks = [entry["bank%d_events" % number] for number in (1, 2, 3, 4)]
            sizes = [bank["event_time_offset"].shape[0] for bank in banks]
            for bank, size in zip(banks, sizes):
                index = bank["event_index"][()].astype(np.int64)
                self.assertEqual(index.shape, bank["event_time_zero"].shape)
                self.assertTrue(index[0] == 0 and np.all(np.diff(index) >= 0) and index[-1] <= size)
                self.assertEqual(bank["total_counts"][0], size)
            self.assertEqual(entry["total_counts"][0], sum(sizes))
            self.assertEqual(entry["run_number"][0], b"1001")
            charge = float(entry["proton_charge"][0]) / PICOCOULOMB_PER_MICROCOULOMB
        self.assertEqual(self.demoevent(raw)["outcome"], "succeeded")
        with h5py.File(os.path.join(self.output, "DEMOEVENT_1001_histogram.h5"), "r") as file:
            data = file["entry/data"]
            np.testing.assert_allclose(data["counts"][()].sum(axis=1), np.array(sizes) / charge, rtol=1e-12)
            np.testing.assert_allclose(data["counts_errors"][()] ** 2, data["counts"][()] / charge, rtol=1e-12)
        self.assert_is_picture("DEMOEVENT_1001.png")
        with open(os.path.join(self.output, "DEMOEVENT_1001.json")) as file:
            self.assertEqual(json.load(file)["input_files"], [raw])

    def test_an_unknown_unit_stops_the_reduction(self):
        raw = self.make_run("DEMOEVENT_1002.nxs.h5", "sns", "DEMOEVENT", 1002, "IPTS-1234", "--seconds", "1")
        with h5py.File(raw, "r+") as file:
            file["entry/proton_charge"].attrs["units"] = "fortnights"
        result = self.demoevent(raw)
        self.assertEqual((result["kind"], result["exit_status"]), ("script_exit", 1))
        self.assertIn("'fortnights'", result["message"])

    def test_the_same_seed_gives_the_same_counts_and_nothing_is_left_behind(self):
        counts = []
        for name in ("first.nxs", "second.nxs"):
            with h5py.File(self.make_run(name, "isis", "DEMOTOF", 1, "1"), "r") as file:
                counts.append(file["raw_data_1/detector_1/counts"][()])
        np.testing.assert_array_equal(*counts)
        self.assertEqual(sorted(os.listdir(self.folder)), ["first.nxs", "output", "second.nxs"])


if __name__ == "__main__":
    unittest.main()
