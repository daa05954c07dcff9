#!/usr/bin/python3
"""Writes bad and awkward raw files into a folder, one a case: make_bad_inputs.py FOLDER.

The base is a small file in the layout of the ISIS data acquisition: groups with logs, compressed counts, fixed strings in
1-element arrays. Every file is made from it by one change, named by the file.
"""

import gzip
import os
import sys
import zipfile

import h5py
import numpy as np

RUN_NUMBER = 28001
TITLE = "CeO2 4 x 4 x 15"


def text(value):
    return np.array([value if isinstance(value, bytes) else value.encode()])


def nx_group(parent, name, nx_class):
    group = parent.create_group(name)
    group.attrs["NX_class"] = np.bytes_(nx_class)
    return group


def write_entry(entry, run_number=RUN_NUMBER, title=TITLE):
    entry.attrs["NX_class"] = np.bytes_("NXentry")
    if run_number is not None:
        entry["run_number"] = np.array([run_number], dtype=np.int32)
    entry["title"] = text(title)
    entry["definition"] = text("TOFRAW")
    entry["experiment_identifier"] = text("1510111")
    entry["start_time"] = text("2015-07-01T15:29:17")
    entry["end_time"] = text("2015-07-01T15:53:16")
    entry["proton_charge"] = np.array([22.5], dtype=np.float32)
    entry["proton_charge"].attrs["units"] = np.bytes_("uAh")
    entry["raw_frames"] = np.array([23740], dtype=np.int32)
    entry["good_frames"] = np.array([18992], dtype=np.int32)
    entry["total_counts"] = np.array([0], dtype=np.uint64)
    instrument = nx_group(entry, "instrument", "NXinstrument")
    instrument["name"] = text("ENGINX")
    user = nx_group(entry, "user_1", "NXuser")
    user["name"] = text("Liu,Andriotis")
    detector = nx_group(entry, "detector_1", "NXdata")
    counts = np.random.default_rng(1).poisson(2, (1, 64, 200)).astype(np.int32)
    detector.create_dataset("counts", data=counts, chunks=(1, 8, 200), compression="gzip")
    logs = nx_group(entry, "runlog", "IXrunlog")
    for i in range(40):
        log = nx_group(logs, f"block_{i}", "NXlog")
        log["time"] = np.arange(50, dtype=np.float32)
        log["value"] = np.arange(50, dtype=np.float32)


class Folder:
    def __init__(self, path):
        self.path = path
        self.file("base.nxs")
        with open(self.name("base.nxs"), "rb") as file:
            self.base = file.read()

    def name(self, name):
        return os.path.join(self.path, name)

    def file(self, name, change=None, entry="raw_data_1", **options):
        """A complete file, changed by `change(file, entry group)`."""
        with h5py.File(self.name(name), "w", **options) as file:
            write_entry(file.create_group(entry))
            if change:
                change(file, file[entry])

    def bytes(self, name, content):
        with open(self.name(name), "wb") as file:
            file.write(content)

    def replaced(self, name, field, value):
        """The field replaced by `value`, or removed if that is None."""

        def change(_, entry):
            del entry[field]
            if value is not None:
                entry[field] = value

        self.file(name, change)


def in_another_process(write):
    """Runs `write`, which returns its open file, in a process that dies without closing it."""
    child = os.fork()
    if child == 0:
        _still_open = write()
        os._exit(0)
    os.waitpid(child, 0)


def not_hdf5(folder):
    base = folder.base
    folder.bytes("empty.nxs", b"")
    folder.bytes("cut_half.nxs", base[: len(base) // 2])
    folder.bytes("cut_one_byte.nxs", base[:-1])
    folder.bytes("cut_512.nxs", base[:512])
    folder.bytes("cut_8.nxs", base[:8])
    folder.bytes("cut_5.nxs", base[:5])
    folder.bytes("damaged_signature.nxs", base[:3] + b"G" + base[4:])
    folder.bytes("text_mode.nxs", base.replace(b"\r\n", b"\n"))
    folder.bytes("text_mode_7bit.nxs", bytes(byte & 0x7F for byte in base))
    folder.bytes("half_zeros.nxs", base[: len(base) // 2] + bytes(len(base) - len(base) // 2))
    folder.bytes("all_zeros.nxs", bytes(len(base)))
    with open(folder.name("all_hole.nxs"), "wb") as file:
        file.truncate(50_000_000)
    folder.bytes("junk_after.nxs", base + b"junk" * 1024)
    folder.bytes("hdf4.nxs", b"\x0e\x03\x13\x01\x00\xc8\x00\x01" + bytes(200))
    header = "INT07709" + "inter team".ljust(20) + "st tho det at 7.03m .5 ".ljust(24) + "20-APR-2010 " + "11:33:56" + "   14.01"
    folder.bytes("isis.raw", header.encode() + bytes(200))
    folder.bytes("lfs_pointer.nxs", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n")
    folder.bytes("html.nxs", b"\n <!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n")
    folder.bytes("gzip.nxs", gzip.compress(base))
    with zipfile.ZipFile(folder.name("zip.nxs"), "w") as archive:
        archive.writestr("base.nxs", base)
    folder.bytes("text.nxs", b"This is a note, not data.\n")


def run_numbers(folder):
    folder.replaced("number_absent.nxs", "run_number", None)
    folder.replaced("number_group.nxs", "run_number", None)
    with h5py.File(folder.name("number_group.nxs"), "a") as file:
        file["raw_data_1"].create_group("run_number")
    compound = np.array([(28001, 1)], dtype=[("number", "<i4"), ("part", "<i4")])
    folder.replaced("number_compound.nxs", "run_number", compound)
    folder.replaced("number_array.nxs", "run_number", np.array([1, 2, 3], dtype=np.int32))
    folder.replaced("number_nan.nxs", "run_number", np.array([np.nan]))
    folder.replaced("number_float.nxs", "run_number", np.array([28001.5]))
    folder.replaced("number_negative.nxs", "run_number", np.array([-1], dtype=np.int32))
    folder.replaced("number_zero.nxs", "run_number", np.array([0], dtype=np.uint32))
    folder.replaced("number_huge.nxs", "run_number", np.array([2**64 - 1], dtype=np.uint64))
    folder.replaced("number_null.nxs", "run_number", h5py.Empty("i4"))
    folder.replaced("number_no_elements.nxs", "run_number", np.zeros((0,), dtype=np.int32))
    folder.replaced("number_shell.nxs", "run_number", text("0x12; rm -rf /"))
    folder.replaced("number_text.nxs", "run_number", text("0028001"))
    folder.replaced("number_vlen_text.nxs", "run_number", "28001")
    folder.replaced("number_byte.nxs", "run_number", np.uint8(7))
    folder.replaced("number_big_endian.nxs", "run_number", np.array([[28001]], dtype=">i8"))


def texts(folder):
    folder.replaced("title_latin1.nxs", "title", text(b"caf\xe9 \xc5"))
    folder.replaced("title_control.nxs", "title", text(b"a\x00b\x1b[31mred\r\n\xff."))
    folder.replaced("title_50mb.nxs", "title", "x" * 50_000_000)
    folder.replaced("title_blank.nxs", "title", text(" "))
    folder.replaced("title_utf8.nxs", "title", "Größe 中文")
    folder.replaced("experiment_path.nxs", "experiment_identifier", text("../../../../etc/cron.d"))
    folder.replaced("experiment_blank.nxs", "experiment_identifier", text(" "))
    none = (("minus", text("-1")), ("zero", text("0 ")), ("number", np.array([-1], dtype="i4")), ("zeros", text("0000000")))
    for name, value in none + (("like", text("-1x")),):
        folder.replaced("experiment_%s.nxs" % name, "experiment_identifier", value)

    def proposal_elsewhere(_, entry):
        del entry["experiment_identifier"]
        entry["experiment_identifier"] = text("0")
        entry["proposal_id"] = text("2010001")

    folder.file("experiment_elsewhere.nxs", proposal_elsewhere)
    folder.replaced("title_template.nxs", "title", text('a/b\nc"; $(id) {{7*7}} <script>'))


def links(folder):
    def to_missing(_, entry):
        entry["detector_2"] = h5py.ExternalLink("nosuch.h5", "/x")

    def to_passwd(_, entry):
        entry["detector_2"] = h5py.ExternalLink("/etc/passwd", "/")

    def title_elsewhere(_, entry):
        del entry["title"]
        entry["title"] = h5py.ExternalLink(folder.name("base.nxs"), "/raw_data_1/title")

    def soft_circle(_, entry):
        entry["a"] = h5py.SoftLink("/raw_data_1/b")
        entry["b"] = h5py.SoftLink("/raw_data_1/a")
        del entry["run_number"]
        entry["run_number"] = h5py.SoftLink("/raw_data_1/run_number")

    def soft_field(_, entry):
        entry.move("title", "sample_title")
        entry["title"] = h5py.SoftLink("sample_title")

    def hard_cycle(_, entry):
        group = entry.create_group("g")
        group["up"] = entry

    def nested(_, entry):
        group = entry
        for _ in range(3000):
            group = group.create_group("g")

    def many_soft(_, entry):
        group = entry.create_group("soft")
        for i in range(50_000):
            group[str(i)] = h5py.SoftLink("/nowhere")

    folder.file("external_missing.nxs", to_missing)
    folder.file("external_passwd.nxs", to_passwd)
    folder.file("external_title.nxs", title_elsewhere)
    folder.file("soft_circle.nxs", soft_circle)
    folder.file("soft_field.nxs", soft_field)
    folder.file("hard_cycle.nxs", hard_cycle)
    folder.file("nested.nxs", nested)
    folder.file("many_soft.nxs", many_soft)


def stored_elsewhere(folder):
    def huge(_, entry):
        entry.create_dataset("detector_2", shape=(1, 2**31, 2**20), dtype="i4", chunks=(1, 64, 1024))

    def virtual(_, entry):
        layout = h5py.VirtualLayout(shape=(4, 100), dtype="i4")
        for i in range(4):
            layout[i] = h5py.VirtualSource(f"gone_{i}.h5", "data", shape=(100,))
        group = nx_group(entry, "detector_2", "NXdetector")
        group.create_virtual_dataset("counts", layout)

    def virtual_charge(_, entry):
        del entry["proton_charge"]
        layout = h5py.VirtualLayout(shape=(1,), dtype="f4")
        layout[0:1] = h5py.VirtualSource("gone.h5", "data", shape=(1,))
        entry.create_virtual_dataset("proton_charge", layout)

    def external_storage(_, entry):
        del entry["title"]
        entry.create_dataset("title", shape=(1,), dtype="S8", external=[("/etc/hostname", 0, 8)])

    folder.file("huge_shape.nxs", huge)
    folder.file("virtual.nxs", virtual)
    folder.file("virtual_charge.nxs", virtual_charge)
    folder.file("external_storage.nxs", external_storage)


def entries(folder):
    def second(file, _):
        write_entry(file.create_group("a_second"), run_number=28002)

    def second_by_default(file, entry):
        second(file, entry)
        file.attrs["default"] = "raw_data_1"

    def no_class(_, entry):
        del entry.attrs["NX_class"]

    def integer_class(_, entry):
        entry.attrs["NX_class"] = 7

    def array_class(_, entry):
        del entry.attrs["NX_class"]
        entry.attrs["NX_class"] = np.array([b"NXentry"])

    folder.file("two_entries.nxs", second)
    folder.file("two_entries_default.nxs", second_by_default)
    folder.file("no_class.nxs", no_class)
    folder.file("integer_class.nxs", integer_class)
    folder.file("array_class.nxs", array_class)
    with h5py.File(folder.name("nothing_inside.nxs"), "w"):
        pass


def times(folder):
    folder.replaced("end_before_start.nxs", "end_time", text("2015-07-01T15:00:00"))
    folder.replaced("end_no_date.nxs", "end_time", text("1999-13-45T99:99:99"))
    folder.replaced("end_2099.nxs", "end_time", text("2099-01-01T00:00:00Z"))
    folder.replaced("end_empty.nxs", "end_time", "")
    folder.replaced("end_integers.nxs", "end_time", np.array([1319617013, -1075840652], dtype=np.int32))
    folder.replaced("start_repeated_hour.nxs", "start_time", text("2015-10-25T01:30:00"))


def events(folder):
    def banks(_, entry):
        del entry["total_counts"]
        bank = nx_group(entry, "bank1_events", "NXevent_data")
        bank["event_id"] = np.arange(100, dtype=np.uint32)
        empty = nx_group(entry, "bank2_events", "NXevent_data")
        empty["event_id"] = np.zeros(1, dtype=np.uint32)  # a dummy
        empty["total_counts"] = np.array([0], dtype=np.uint64)
        detector = nx_group(entry["instrument"], "bank1", "NXdetector")
        detector["events"] = bank  # a hard link: the same events
        chopper = nx_group(entry["instrument"], "chopper", "NXdisk_chopper")
        trigger = nx_group(chopper, "pulses", "NXevent_data")
        trigger["event_id"] = np.zeros(30, dtype=np.uint32)

    folder.file("event_banks.nxs", banks)


def containers(folder):
    def damaged_chunk(_, entry):
        entry["detector_1/counts"].id.write_direct_chunk((0, 0, 0), b"\xff" * 100)

    def swmr():
        file = h5py.File(folder.name("killed_swmr.nxs"), "w", libver="latest")
        write_entry(file.create_group("raw_data_1"))
        file.swmr_mode = True
        file.flush()
        return file

    def unflushed():
        file = h5py.File(folder.name("killed.nxs"), "w")
        entry = file.create_group("raw_data_1")
        write_entry(entry)
        entry.create_dataset("frames", data=np.ones(20_000, dtype=np.int64))  # on disk at once, unlike what describes it
        return file

    folder.file("user_block.nxs", userblock_size=1024)
    folder.file("superblock_v3.nxs", libver="latest")
    with open(folder.name("superblock_v3.nxs"), "rb") as file:
        latest = file.read()
    folder.bytes("superblock_v9.nxs", latest[:8] + b"\x09" + latest[9:])
    in_another_process(unflushed)
    in_another_process(swmr)
    folder.file("damaged_chunk.nxs", damaged_chunk)


def main():
    folder = Folder(sys.argv[1])
    for make in (not_hdf5, run_numbers, texts, links, stored_elsewhere, entries, times, events, containers):
        make(folder)


if __name__ == "__main__":
    main()
