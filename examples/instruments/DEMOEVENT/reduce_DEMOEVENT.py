"""Reduction of DEMOEVENT: event lists of a time-of-flight powder diffractometer (SNS script contract).

    python3 reduce_DEMOEVENT.py /SNS/DEMOEVENT/IPTS-1234/nexus/DEMOEVENT_1001.nxs.h5 OUTDIR/

Histograms each bank's events by time of flight, divides by the proton charge, and writes
    <run>_histogram.h5   NXdata: counts [bank, tof] with counts_errors (one standard deviation) and the bin edges tof
    <run>.png            the same as a plot
    <run>.json           what was made of what, for the catalogue
"""

import json
import os
import sys

import h5py
import numpy as np

# ---- what a scientist may want to change ----
TOF_MIN, TOF_MAX = 0.0, 1e6 / 60  # us; one frame at 60 pulses a second
TOF_BINS = 2000
# ----

PICOCOULOMB_PER_MICROCOULOMB = 1e6
UNITS_IN_PICOCOULOMB = {"picocoulombs": 1.0, "picocoulomb": 1.0, "pc": 1.0}
UNITS_IN_MICROSECOND = {"microsecond": 1.0, "microseconds": 1.0, "us": 1.0, "nanosecond": 1e-3, "nanoseconds": 1e-3, "ns": 1e-3}


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: reduce_DEMOEVENT.py FILE OUTDIR")
    data_file, output_folder = sys.argv[1], sys.argv[2]
    stem = os.path.basename(data_file).split(".")[0]

    print("reading", data_file)
    edges = np.linspace(TOF_MIN, TOF_MAX, TOF_BINS + 1)
    with h5py.File(data_file, "r") as file:
        entry = file["entry"]
        title = entry["title"][0].decode("utf-8", "replace").strip()
        charge = charge_in_microcoulomb(entry["proton_charge"])
        names = sorted((name for name in entry if name.endswith("_events")), key=bank_number)
        if not names:
            sys.exit("%s: no bank with events; was the run written without detector data?" % data_file)
        counts = np.zeros((len(names), TOF_BINS))
        for row, name in enumerate(names):
            tof = times_of_flight(entry[name])
            counts[row], _ = np.histogram(tof, edges)
            outside = tof.size - int(counts[row].sum())
            print("%s: %d events, %d outside %.0f to %.0f us" % (name, tof.size, outside, TOF_MIN, TOF_MAX))
        run_number = entry["run_number"][0].decode()
    if not charge > 0:
        sys.exit("%s: no proton charge, there is nothing to normalise by" % data_file)
    print("%s: %d events in all, %.4g uC" % (title, counts.sum(), charge))

    errors = np.sqrt(counts) / charge  # counting statistics; the charge counts as exact
    counts = counts / charge
    banks = [bank_number(name) for name in names]
    reduced = os.path.join(output_folder, stem + "_histogram.h5")
    write_reduced(reduced, title, run_number, charge, banks, edges, counts, errors)
    print("wrote", reduced)
    picture = os.path.join(output_folder, stem + ".png")
    plot(picture, title, banks, edges, counts)
    print("wrote", picture)
    with open(os.path.join(output_folder, stem + ".json"), "w") as catalogue:
        json.dump({"input_files": [data_file], "output_files": [reduced, picture]}, catalogue, indent=1)


def bank_number(name):
    return int("".join(filter(str.isdigit, name)) or 0)


def charge_in_microcoulomb(dataset):
    units = units_of(dataset)
    if units not in UNITS_IN_PICOCOULOMB:
        sys.exit("proton_charge is in %r, expected picoCoulombs" % units)
    return float(dataset[0]) * UNITS_IN_PICOCOULOMB[units] / PICOCOULOMB_PER_MICROCOULOMB


def times_of_flight(events):
    """Times of flight of all events of one bank, us."""
    dataset = events["event_time_offset"]
    units = units_of(dataset)
    if units not in UNITS_IN_MICROSECOND:
        sys.exit("%s is in %r, expected microseconds" % (dataset.name, units))
    return dataset[()] * UNITS_IN_MICROSECOND[units]


def units_of(dataset):
    units = dataset.attrs.get("units", "")
    return (units.decode() if isinstance(units, bytes) else str(units)).lower()


def write_reduced(path, title, run_number, charge, banks, edges, counts, errors):
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "data"})
        entry["title"] = title
        entry["run_number"] = run_number
        data = entry.create_group("data")
        data.attrs.update({"NX_class": "NXdata", "signal": "counts", "axes": ["bank", "tof"]})
        data["counts"] = counts
        data["counts"].attrs.update({"units": "counts/uC", "long_name": "neutron events"})
        data["counts_errors"] = errors
        data["counts_errors"].attrs.update({"units": "counts/uC", "long_name": "one standard deviation"})
        data["bank"] = banks
        data["tof"] = edges
        data["tof"].attrs.update({"units": "us", "long_name": "time of flight, bin edges"})
        process = entry.create_group("process")
        process.attrs["NX_class"] = "NXprocess"
        process["program"] = "reduce_DEMOEVENT.py"
        process["proton_charge"] = charge
        process["proton_charge"].attrs["units"] = "uC"


def plot(path, title, banks, edges, counts):
    from matplotlib.figure import Figure  # without pyplot: no display, no state kept between plots

    centres = 0.5 * (edges[1:] + edges[:-1])
    figure = Figure(figsize=(8, 4.5), dpi=100)
    axes = figure.add_subplot()
    for number, bank in zip(banks, counts):
        axes.step(centres, bank / np.diff(edges), where="mid", linewidth=0.8, label="bank %d" % number)
    axes.set_xlabel("time of flight / \u00b5s")
    axes.set_ylabel("counts / \u00b5C per \u00b5s")
    axes.set_title(title)
    axes.margins(x=0)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
