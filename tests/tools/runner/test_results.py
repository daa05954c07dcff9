"""What the result says beside how the script ended: files named as results, files touched elsewhere, remarks."""

import os
import unittest

from runner_case import RunnerCase, write_file


class NamedResultsTest(RunnerCase):
    def returned(self, expression, made=("a.nxs", "sub/b.nxs", "long.name.dat")):
        script = "import os\ndef main(input_file, output_dir):\n"
        for name in made:
            script += "    os.makedirs(os.path.dirname(output_dir + %r), exist_ok=True); open(output_dir + %r, 'w').close()\n" % (name, name)
        result = self.run_isis(script + "    return %s\n" % expression)
        self.assert_succeeded(result)
        return result

    def test_files_of_the_output_directory_are_declared(self):
        for expression, declared in (
            ("output_dir + 'a.nxs'", ["a.nxs"]),
            ("[output_dir + 'a.nxs', 'sub/b.nxs', 'a.nxs']", ["a.nxs", "sub/b.nxs"]),
            ("'./a.nxs'", ["a.nxs"]),
            ("__import__('pathlib').Path(output_dir, 'a.nxs')", ["a.nxs"]),
            ("b'a.nxs'", ["a.nxs"]),
            ("{'sub/b.nxs', 'a.nxs'}", ["a.nxs", "sub/b.nxs"]),
            ("'a'", ["a.nxs"]),
            ("'sub/b'", ["sub/b.nxs"]),
            ("'b.nxs'", ["sub/b.nxs"]),
            ("'b'", ["sub/b.nxs"]),
            ("'long.name'", ["long.name.dat"]),
            ("'sub'", ["sub/b.nxs"]),
            ("output_dir", []),
            ("['', None][:1]", []),
        ):
            with self.subTest(expression):
                result = self.returned(expression)
                self.assertEqual((result["declared"], result["extra_directories"], result["remarks"]), (declared, [], []))

    def test_the_output_directory_under_another_spelling_is_inside(self):
        os.symlink(self.output, os.path.join(self.root, "other"))
        result = self.returned("%r + '/a.nxs'" % os.path.join(self.root, "other"))
        self.assertEqual((result["declared"], result["extra_directories"]), (["a.nxs"], []))

    def test_absolute_directories_outside_are_to_get_a_copy(self):
        place = self.folder("instrument/extra")
        result = self.returned("[%r, %r, %r]" % (place + "/", place + "/new", place))
        self.assertEqual(result["extra_directories"], [place, place + "/new"])
        self.assertEqual((result["declared"], result["remarks"]), ([], []))

    def test_a_file_outside_is_declared_by_its_path(self):
        path = os.path.join(self.folder("instrument/extra"), "summary.csv")
        write_file(path, "1")
        self.assertEqual(self.returned(repr(path))["declared"], [path])

    def test_what_was_not_made_is_a_remark(self):
        result = self.returned("['gone.nxs', output_dir + 'sub/gone', '/no/such/file.nxs', 'a\\0b']")
        self.assertEqual(result["declared"], [])
        self.assertEqual(
            result["remarks"],
            ["named as a result, but not made: gone.nxs", "named as a result, but not made: sub/gone",
             "named as a result, but not made: /no/such/file.nxs", "named as a result, but no file name: 'a\\x00b'"],
        )

    def test_a_name_that_is_not_utf8_is_written_out(self):
        result = self.returned("b'\\xff.nxs'", made=())
        self.assertEqual((result["returned"], result["remarks"]), ("\\xff.nxs", ["named as a result, but not made: \\xff.nxs"]))

    def test_very_many_names_are_cut_and_counted(self):
        result = self.run_isis(
            """
            def main(input_file, output_dir):
                names = ['%06d.dat' % index for index in range(6000)]
                for name in names: open(output_dir + name, 'w').close()
                return names + ['x' * 1000] * 100000
            """
        )
        self.assert_succeeded(result)
        self.assertEqual((len(result["declared"]), len(result["returned"])), (5000, 5000))
        self.assertIn("1000 more files were named as results than a record can hold", result["remarks"])
        self.assertIn("main returned 101000 more names than are kept", result["remarks"])
        self.assertLess(os.path.getsize(self.result_path), 1 << 20)

    def test_very_many_long_names_stay_below_what_workerd_reads(self):
        result = self.returned("['\\u00e9' * 4000 + str(index) for index in range(3000)]", made=())
        self.assertGreater(len(result["returned"]), 10)
        self.assertLess(os.path.getsize(self.result_path), 4 << 20)


class ListOfResultsTest(RunnerCase):
    """sns: <stem of the data file>.json in the output directory."""

    def run_with_list(self, text, name="DEM00028001.json", script="", **job):
        write_file(os.path.join(self.output, "DEM.nxs"), "counts")
        write_file(os.path.join(self.output, name), text)
        result = self.run_sns(script or "pass\n", **job)
        return result

    def test_its_output_files_are_declared(self):
        text = '{"input_files": [{"location": "/raw"}], "output_files": [{"location": "%s/DEM.nxs", "type": "processed"}, "DEM"]}'
        self.assertEqual(self.run_with_list(text % self.output)["declared"], ["DEM.nxs"])

    def test_the_stem_is_that_of_the_data_file_without_all_its_endings(self):
        for name in ("DEM_1.json", "DEM_1.nxs.json"):
            result = self.run_with_list('{"output_files": ["DEM.nxs"]}', name, input_files=["/SNS/DEM_1.nxs.h5"])
            self.assertEqual(result["declared"], ["DEM.nxs"])
            os.remove(os.path.join(self.output, name))

    def test_it_counts_when_the_script_raises_or_exits_too(self):
        for script in ("raise ValueError('Warning: cold')\n", "import sys\nsys.exit()\n"):
            self.assertEqual(self.run_with_list('{"output_files": ["DEM.nxs"]}', script=script)["declared"], ["DEM.nxs"])

    def test_one_that_cannot_be_read_is_a_remark(self):
        for text, told in (
            ("{", "DEM00028001.json is no list of results: JSONDecodeError"),
            ("[]", "it has no list output_files"),
            ('{"output_files": "DEM.nxs"}', "it has no list output_files"),
            ('{"output_files": [1, {"path": "x"}]}', "2 of its output_files name no file"),
            (b"\xff\xfe", "no list of results: UnicodeDecodeError"),
            ("[" * 100000, "no list of results: RecursionError"),
            ('{"output_files": ["gone.nxs"]}', "not made: gone.nxs"),
        ):
            with self.subTest(text[:40]):
                result = self.run_with_list(text)
                self.assert_succeeded(result)
                self.assertIn(told, " ".join(result["remarks"]))


class TouchedTest(RunnerCase):
    def setUp(self):
        super().setUp()
        self.shared = self.folder("archive/shared")
        self.old = os.path.join(self.shared, "old.txt")
        write_file(self.old, "twelve bytes")

    def touched(self, text, **job):
        result = self.run_sns("import os, sys, shutil\nshared = %r\nold = %r\n" % (self.shared, self.old) + text, **job)
        self.assert_succeeded(result)
        return {os.path.relpath(file["path"], self.shared): file["before"] for file in result["touched"]}

    def before(self, name="old.txt"):
        info = os.stat(os.path.join(self.shared, name))
        return [info.st_size, info.st_mtime_ns]

    def test_files_written_elsewhere_with_what_was_there(self):
        before = self.before()
        for text, expected in (
            ("open(shared + '/new.txt', 'w').close()\n", {"new.txt": None}),
            ("open(old, 'a').close(); open(old, 'w').write('x')\n", {"old.txt": before}),
            ("open(old.encode(), 'r+b').close()\n", {"old.txt": None}),
            ("os.close(os.open(shared + '/low.txt', os.O_WRONLY | os.O_CREAT))\n", {"low.txt": None}),
            ("__import__('pathlib').Path(shared, 'path.txt').write_text('x')\n", {"path.txt": None}),
            ("open(sys.argv[2] + 'a', 'w').close(); shutil.move(sys.argv[2] + 'a', shared + '/moved.txt')\n", {"moved.txt": None}),
            ("os.chdir(shared); open('here.txt', 'w').close()\n", {"here.txt": None}),
            ("os.symlink('/etc/hostname', shared + '/link')\n", {"link": None}),
            ("os.remove(shared + '/link')\n", {"link": None}),
            ("import sqlite3; sqlite3.connect(shared + '/base.db').execute('create table a (b)')\n", {"base.db": None}),
            ("os.mkdir(shared + '/folder'); os.rename(shared + '/folder', shared + '/other'); os.rmdir(shared + '/other')\n", {}),
            ("os.replace(old, shared + '/renamed.txt')\n", {"old.txt": None, "renamed.txt": None}),
        ):
            with self.subTest(text):
                touched = self.touched(text)
                self.assertEqual(sorted(touched), sorted(expected))
                if expected.get("old.txt"):
                    self.assertEqual(touched["old.txt"], before)

    def test_a_removed_file_has_what_it_was(self):
        before = self.before()
        self.assertEqual(self.touched("os.remove(old)\n"), {"old.txt": before})

    def test_a_tree_removed_by_descriptors_is_told_with_full_paths(self):
        write_file(os.path.join(self.shared, "tree/leaf.txt"), "leaf")
        self.assertEqual(list(self.touched("shutil.rmtree(shared + '/tree')\n")), ["tree/leaf.txt"])

    def test_reading_and_the_jobs_own_folders_are_left_out(self):
        home = self.folder("scratch/home")
        text = """
open(old).read()
open('in_work.txt', 'w').close()
open(sys.argv[2] + 'result.nxs', 'w').close()
open(os.path.expanduser('~/file'), 'w').close()
open('/dev/null', 'w').close()
import tempfile
tempfile.NamedTemporaryFile().close()
"""
        self.assertEqual(self.touched(text, environment={"HOME": home, "TMPDIR": self.folder("scratch/tmp")}), {})

    def test_a_link_in_the_output_directory_leads_elsewhere(self):
        self.assertEqual(
            list(self.touched("os.symlink(shared, sys.argv[2] + 'out'); open(sys.argv[2] + 'out/behind.txt', 'w').close()\n")), ["behind.txt"]
        )

    def test_very_many_files_are_counted(self):
        result = self.run_sns("for index in range(1500): open('%s/%%d' %% index, 'w').close()\n" % self.shared)
        self.assertEqual((len(result["touched"]), result["touched_more"]), (1000, 500))

    def test_strange_arguments_stop_neither_script_nor_runner(self):
        text = """
for bad in (b'\\xff\\x00', 'a\\0b', 10 ** 40, None):
    try:
        open(bad, 'w')
    except (ValueError, TypeError, OverflowError, OSError):
        pass
os.open(sys.argv[2] + 'x', os.O_CREAT)
sys.audit('open', object(), object(), object())
sys.audit('os.rename')
"""
        self.assertEqual(self.touched(text), {})

    def test_files_beside_the_script_that_are_not_on_record(self):
        self.neighbour("helpers.py", "value = 1\n")
        self.neighbour("masks/mask.xml", "<mask/>")
        self.neighbour("calibration.txt", "1.0")
        sibling = self.write_script("config.ini", "[a]\n")
        result = self.run_sns(
            """
            import helpers, os
            here = os.path.dirname(__file__)
            for name in ('config.ini', 'masks/mask.xml', 'masks/mask.xml'):
                open(os.path.join(here, name)).read()
            open(%r).read()
            os.chdir(here)
            open('calibration.txt').read()
            open(__file__).read()
            """
            % self.original("calibration.txt"),
            siblings={"config.ini": sibling},
        )
        self.assert_succeeded(result)
        self.assertEqual(
            result["remarks"],
            ["read %s beside the script, which is not on record" % name for name in ("helpers.py", "masks/mask.xml", "calibration.txt")],
        )

    def test_what_is_written_beside_the_script(self):
        self.neighbour("summary.csv", "a\n")
        result = self.run_sns(
            """
            import os
            here = os.path.dirname(__file__)
            open(os.path.join(here, 'cache.txt'), 'w').close()
            open(os.path.join(here, 'summary.csv'), 'a').write('b')
            """
        )
        self.assertEqual(result["remarks"], ["wrote cache.txt beside the script: the job's copy of that folder is not kept"])
        self.assertEqual([file["path"] for file in result["touched"]], [self.original("summary.csv")])

    def test_a_failed_script_tells_too(self):
        result = self.run_sns("open(%r, 'w').close()\nraise ValueError('late')\n" % self.old)
        self.assert_failed(result, "script_exception", "late")
        self.assertEqual([file["path"] for file in result["touched"]], [self.old])


if __name__ == "__main__":
    unittest.main()
