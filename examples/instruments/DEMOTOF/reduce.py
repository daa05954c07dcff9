"""Reduction of DEMOTOF: histograms of a time-of-flight powder diffractometer (ISIS script contract).

Sums the chosen spectra, rebins them by time of flight, divides by the proton charge, and writes
    <run>_reduced.nxs    NXdata: counts [tof] with counts_errors (one standard deviation) and the bin edges tof
    <run>_spectrum.png   the same as a plot
"""

import json
import os

import h5py
import numpy as np

import reduce_vars as web_var


def main(input_file, output_dir):
    standard, advanced = web_var.standard_vars, web_var.advanced_vars
    stem = os.path.splitext(os.path.basename(input_file))[0]
    print("reading", input_file)
    run = read_run(input_file, standard["period"], advanced["first_spectrum"], advanced["last_spectrum"])
    print("%s: %d spectra, %d counts, %.4g uAh" % (run["title"], run["spectra"], run["counts"].sum(), run["charge"]))

    edges = new_edges(run["edges"], standard["tof_min"], standard["tof_max"], standard["tof_step"])
    counts = rebin(run["edges"], run["counts"], edges)
    errors = np.sqrt(counts)  # counting statistics; a split bin shares its variance as it shares its counts
    units = "counts"
    if advanced["normalise_by_charge"]:
        if not run["charge"] > 0:
            raise RuntimeError("Skip: no proton charge in this run, there is nothing to normalise by")
        counts, errors, units = counts / run["charge"], errors / run["charge"], "counts/uAh"
    print("rebinned to %d bins from %.1f to %.1f us" % (counts.size, edges[0], edges[-1]))

    reduced = output_dir + stem + "_reduced.nxs"
    write_reduced(reduced, run, edges, counts, errors, units, {"standard_vars": standard, "advanced_vars": advanced})
    print("wrote", reduced)
    if advanced["plot"]:
        picture = output_dir + stem + "_spectrum.png"
        plot(picture, run["title"], edges, counts, errors, units)
        print("wrote", picture)


def read_run(path, period, first_spectrum, last_spectrum):
    """The sum of the chosen spectra. counts: [tof], counts; edges: [tof + 1], us; charge: uAh."""
    with h5py.File(path, "r") as file:
        entry = file["raw_data_1"]
        detector = entry["detector_1"]
        if not 1 <= period <= detector["counts"].shape[0]:
            raise ValueError("period %s: this run has periods 1 to %d" % (period, detector["counts"].shape[0]))
        numbers = detector["spectrum_index"][()]
        chosen = np.ones(numbers.shape, bool)
        if first_spectrum is not None:
            chosen &= numbers >= first_spectrum
        if last_spectrum is not None:
            chosen &= numbers <= last_spectrum
        if not chosen.any():
            raise ValueError("no spectrum from %s to %s: this run has %d to %d"
                             % (first_spectrum, last_spectrum, numbers[0], numbers[-1]))
        return {
            "title": text(entry["title"]),
            "run_number": int(entry["run_number"][0]),
            "experiment": text(entry["experiment_identifier"]),
            "charge": float(entry["proton_charge"][0]),
            "spectra": int(chosen.sum()),
            "counts": detector["counts"][period - 1][chosen].sum(axis=0, dtype=np.int64),
            "edges": detector["time_of_flight"][()].astype(float),
        }


def text(dataset):
    return dataset[0].decode("utf-8", "replace").strip()


def new_edges(edges, tof_min, tof_max, step):
    """Bin edges from tof_min to tof_max; the last bin ends at tof_max and may be narrower."""
    low = edges[0] if tof_min is None else float(tof_min)
    high = edges[-1] if tof_max is None else float(tof_max)
    if not 0 < low < high or step == 0:
        raise ValueError("no bins from %s to %s us in steps of %s" % (low, high, step))
    if step > 0:
        inner = np.arange(low, high, step)
    else:
        inner = low * (1 - step) ** np.arange(np.ceil(np.log(high / low) / np.log(1 - step)))
    return np.append(inner[inner < high * (1 - 1e-9)], high)


def rebin(edges, counts, wanted):
    """Counts in the wanted bins; a bin that is cut is shared in proportion to its width."""
    running = np.concatenate([[0.0], np.cumsum(counts)])
    return np.diff(np.interp(wanted, edges, running))


def write_reduced(path, run, edges, counts, errors, units, variables):
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "data"})
        entry["title"] = run["title"]
        entry["run_number"] = run["run_number"]
        entry["experiment_identifier"] = run["experiment"]
        data = entry.create_group("data")
        data.attrs.update({"NX_class": "NXdata", "signal": "counts", "axes": ["tof"]})
        data["counts"] = counts
        data["counts"].attrs.update({"units": units, "long_name": "neutron counts, summed over %d spectra" % run["spectra"]})
        data["counts_errors"] = errors
        data["counts_errors"].attrs.update({"units": units, "long_name": "one standard deviation"})
        data["tof"] = edges
        data["tof"].attrs.update({"units": "us", "long_name": "time of flight, bin edges"})
        process = entry.create_group("process")
        process.attrs["NX_class"] = "NXprocess"
        process["program"] = "DEMOTOF reduce.py"
        process["proton_charge"] = run["charge"]
        process["proton_charge"].attrs["units"] = "uAh"
        process["variables"] = json.dumps(variables, sort_keys=True, default=repr)


def plot(path, title, edges, counts, errors, units):
    from matplotlib.figure import Figure  # without pyplot: no display, no state kept between plots

    centres = 0.5 * (edges[1:] + edges[:-1])
    widths = np.diff(edges)
    figure = Figure(figsize=(8, 4.5), dpi=100)
    axes = figure.add_subplot()
    axes.fill_between(centres, (counts - errors) / widths, (counts + errors) / widths, step="mid", alpha=0.3, linewidth=0)
    axes.step(centres, counts / widths, where="mid", linewidth=0.8)
    axes.set_xlabel("time of flight / \u00b5s")
    axes.set_ylabel("%s per \u00b5s" % units)
    axes.set_title(title)
    axes.margins(x=0)
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    import sys

    main(input_file=sys.argv[1], output_dir=os.path.join(sys.argv[2], ""))
