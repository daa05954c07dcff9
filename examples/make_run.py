#!/usr/bin/python3
"""Writes one finished run of a demonstration instrument: a NeXus file as a facility's acquisition would leave it.

    make_run.py --layout isis --instrument DEMOTOF --run 28001 --experiment 2610001 DEMOTOF00028001.nxs
    make_run.py --layout sns --instrument DEMOEVENT --run 1001 --experiment IPTS-1234 DEMOEVENT_1001.nxs.h5

isis: histograms of a powder diffractometer, raw_data_1 with one detector and two monitors.
sns:  lists of neutron events in four detector banks, 60 pulses a second.

Both show the Bragg peaks of a powder at their true times of flight, on a falling background, with counting noise. The file is
written under a hidden name and renamed when it is whole, so that whoever watches the folder never sees half of it.
"""

import argparse
import datetime
import os
import sys

import h5py
import numpy as np

# Neutron: wavelength [angstrom] = H_OVER_M [m/s angstrom] * time of flight / path; h / m_n, CODATA 2018.
H_OVER_M = 3956.034
MICROSECONDS = 1e6

# Powders: lattice constant [angstrom] and reflections as (h2 + k2 + l2, relative intensity), enough to look like the material.
CERIA = (5.4113, [(3, 1.0), (4, 0.3), (8, 0.9), (11, 0.8), (12, 0.2), (16, 0.35), (19, 0.5), (20, 0.25), (24, 0.6), (27, 0.4)])
SILICON = (5.4311, [(3, 0.9), (8, 1.0), (11, 0.7), (16, 0.3), (19, 0.5), (24, 0.6), (27, 0.35), (32, 0.2), (35, 0.3), (40, 0.3)])

ISIS_FRAMES_PER_SECOND = 50
SNS_PULSES_PER_SECOND = 60


def main():
    arguments = parse_arguments()
    rng = np.random.default_rng(arguments.seed)
    folder, name = os.path.split(os.path.abspath(arguments.output))
    hidden = os.path.join(folder, "." + name + ".part")
    try:
        with h5py.File(hidden, "w") as file:
            total = WRITERS[arguments.layout](file, arguments, rng)
        os.replace(hidden, arguments.output)
    except BaseException:
        if os.path.exists(hidden):
            os.remove(hidden)
        raise
    print("%s: run %d of %s, %d counts" % (arguments.output, arguments.run, arguments.instrument, total))


def parse_arguments():
    parser = argparse.ArgumentParser(description="Writes one finished run of a demonstration instrument.")
    parser.add_argument("--layout", choices=sorted(WRITERS), required=True)
    parser.add_argument("--instrument", required=True)
    parser.add_argument("--run", type=int, required=True, help="run number")
    parser.add_argument("--experiment", required=True, help="RB number, or IPTS-NUMBER")
    parser.add_argument("--title", default="powder standard, 300 K")
    parser.add_argument("--users", default="A. Scientist,B. Visitor", help="names, separated by commas")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the run measured")
    parser.add_argument("--end", help="when it ended, ISO 8601 (default: now)")
    parser.add_argument("--seed", type=int, help="same seed, same counts")
    parser.add_argument("output", metavar="OUT.nxs")
    arguments = parser.parse_args()
    if arguments.run <= 0:
        parser.error("--run must be above 0")
    if arguments.seconds <= 0:
        parser.error("--seconds must be above 0")
    try:
        arguments.end = datetime.datetime.fromisoformat(arguments.end) if arguments.end else datetime.datetime.now()
    except ValueError as error:
        parser.error("--end: %s" % error)
    arguments.start = arguments.end - datetime.timedelta(seconds=arguments.seconds)
    return arguments


# ---- the powder ----


def peaks(powder, path_metres, two_theta_degrees):
    """Bragg peaks as (time of flight [us], intensity)."""
    lattice, reflections = powder
    for squares, intensity in reflections:
        wavelength = 2 * lattice / np.sqrt(squares) * np.sin(np.radians(two_theta_degrees) / 2)
        yield path_metres * wavelength / H_OVER_M * MICROSECONDS, intensity


# ---- ISIS: histograms ----


def write_isis(file, arguments, rng):
    spectra_count, moderator_to_sample, sample_to_detector = 96, 11.0, 1.5
    edges = 2000.0 * 1.001 ** np.arange(2301)  # us, constant relative width
    two_theta = np.linspace(89.7, 90.3, spectra_count)  # one strip along the diffraction cone: peaks stay sharp when summed
    charge = arguments.seconds * 0.045 * rng.uniform(0.95, 1.05)  # uAh; 160 uA of beam are 0.044 uAh a second

    centres = 0.5 * (edges[1:] + edges[:-1])
    widths = np.diff(edges)
    expected = np.empty((spectra_count, centres.size))
    for index, angle in enumerate(two_theta):
        density = 0.02 * np.exp(-centres / 6000.0) + 0.003
        for position, intensity in peaks(CERIA, moderator_to_sample + sample_to_detector, angle):
            sigma = 0.004 * position
            density += intensity * 0.3 * np.exp(-0.5 * ((centres - position) / sigma) ** 2) * np.exp(-position / 9000.0)
        expected[index] = density * widths * charge * 8.0
    counts = rng.poisson(expected)[np.newaxis].astype(np.int32)  # [period, spectrum, time of flight]
    monitor = rng.poisson(400.0 * np.exp(-centres / 5000.0) * charge, size=(2, centres.size)).astype(np.int32)

    frames = int(round(arguments.seconds * ISIS_FRAMES_PER_SECOND))
    file.attrs["file_name"] = os.path.basename(arguments.output)
    file.attrs["file_time"] = arguments.end.isoformat(timespec="seconds")
    entry = group(file, "raw_data_1", "NXentry")
    for name, text in (
        ("definition", "TOFRAW"),
        ("title", arguments.title),
        ("experiment_identifier", arguments.experiment),
        ("name", arguments.instrument),
        ("beamline", arguments.instrument),
        ("run_cycle", "26_1"),
        ("start_time", arguments.start.replace(tzinfo=None).isoformat(timespec="seconds")),
        ("end_time", arguments.end.replace(tzinfo=None).isoformat(timespec="seconds")),
    ):
        text_field(entry, name, text)
    number_field(entry, "run_number", arguments.run, np.int32)
    number_field(entry, "duration", arguments.seconds, np.float32, "second")
    number_field(entry, "proton_charge", charge, np.float32, "uAh")
    number_field(entry, "raw_frames", frames, np.int32)
    number_field(entry, "good_frames", frames, np.int32)
    number_field(entry, "total_counts", counts.sum(dtype=np.int64), np.uint64)

    instrument = group(entry, "instrument", "NXinstrument")
    text_field(instrument, "name", arguments.instrument)
    source = group(instrument, "source", "NXsource")
    text_field(source, "name", "ISIS")
    text_field(source, "probe", "neutrons")
    number_field(group(instrument, "moderator", "NXmoderator"), "distance", -moderator_to_sample, np.float32, "metre")
    number_field(group(instrument, "dae", "IXdae"), "period_index", 1, np.int32)
    detector = group(instrument, "detector_1", "NXdetector")
    stored = detector.create_dataset("counts", data=counts, chunks=(1, 8, counts.shape[2]), compression="gzip", compression_opts=1)
    stored.attrs.update({"units": "counts", "signal": 1, "axes": "period_index,spectrum_index,time_of_flight"})
    tof = detector.create_dataset("time_of_flight", data=edges.astype(np.float32))
    tof.attrs.update({"units": "microseconds", "axis": 1, "primary": 1})
    detector["spectrum_index"] = np.arange(3, 3 + spectra_count, dtype=np.int32)
    detector["period_index"] = instrument["dae/period_index"]
    detector["polar_angle"] = two_theta.astype(np.float32)
    detector["polar_angle"].attrs["units"] = "degree"
    detector["distance"] = np.full(spectra_count, sample_to_detector, np.float32)
    detector["distance"].attrs["units"] = "metre"
    data = group(entry, "detector_1", "NXdata")
    for name in ("counts", "time_of_flight", "spectrum_index", "period_index"):
        data[name] = detector[name]

    for number in (1, 2):
        part = group(entry, "monitor_%d" % number, "NXmonitor")
        stored = part.create_dataset("data", data=monitor[number - 1].reshape(1, 1, -1), compression="gzip", compression_opts=1)
        stored.attrs.update({"units": "counts", "signal": 1, "axes": "period_index,spectrum_index,time_of_flight"})
        part["time_of_flight"] = tof
        number_field(part, "monitor_number", number, np.int32)
        part["spectrum_index"] = np.array([number], np.int32)

    text_field(group(entry, "sample", "NXsample"), "name", "CeO2")
    write_users(entry, "user_%d", arguments.users)
    log = group(group(entry, "runlog", "IXrunlog"), "proton_charge", "NXlog")
    write_log(log, arguments, charge * np.linspace(0.0, 1.0, 21), "uAh")
    return counts.sum(dtype=np.int64)


# ---- SNS: events ----


def write_sns(file, arguments, rng):
    pixels_per_bank, path_metres = 128, 21.0
    pulses = max(int(round(arguments.seconds * SNS_PULSES_PER_SECOND)), 1)
    frame = MICROSECONDS / SNS_PULSES_PER_SECOND  # us from pulse to pulse
    pulse_charge = rng.normal(2.3e7, 2e5, pulses)  # pC; 1.4 MW at 1 GeV are 23 uC a pulse
    pulse_time = np.arange(pulses) / SNS_PULSES_PER_SECOND  # s since the start

    file.attrs["file_name"] = os.path.basename(arguments.output)
    file.attrs["file_time"] = arguments.end.astimezone().isoformat(timespec="seconds")
    entry = group(file, "entry", "NXentry")
    instrument = group(entry, "instrument", "NXinstrument")
    text_field(instrument, "name", arguments.instrument)
    text_field(instrument, "beamline", "BL00")

    total = 0
    for number, two_theta in enumerate((60.0, 90.0, 120.0, 150.0), start=1):
        tof = bank_events(rng, path_metres, two_theta, frame, expected=12.0 * pulses)
        pulse = np.sort(rng.integers(0, pulses, tof.size))
        events = group(entry, "bank%d_events" % number, "NXevent_data")
        pixel = rng.integers(0, pixels_per_bank, tof.size) + pixels_per_bank * (number - 1)
        events.create_dataset("event_id", data=pixel.astype(np.uint32), chunks=True, compression="gzip", compression_opts=1)
        offset = events.create_dataset(
            "event_time_offset", data=tof.astype(np.float32), chunks=True, compression="gzip", compression_opts=1
        )
        offset.attrs["units"] = "microsecond"
        events["event_index"] = np.searchsorted(pulse, np.arange(pulses)).astype(np.uint64)  # first event of each pulse
        zero = events.create_dataset("event_time_zero", data=pulse_time)
        zero.attrs.update({"units": "second", "offset": arguments.start.astimezone().isoformat()})
        number_field(events, "total_counts", tof.size, np.uint64)
        bank = group(instrument, "bank%d" % number, "NXdetector")
        for name in ("event_id", "event_time_offset", "event_index", "event_time_zero", "total_counts"):
            bank[name] = events[name]
        bank["polar_angle"] = np.full(pixels_per_bank, two_theta, np.float32)
        bank["polar_angle"].attrs["units"] = "degree"
        total += tof.size

    for name, text in (
        ("definition", "NXsnsevent"),
        ("title", arguments.title),
        ("experiment_identifier", arguments.experiment),
        ("run_number", str(arguments.run)),
        ("entry_identifier", str(arguments.run)),
        ("start_time", arguments.start.astimezone().isoformat(timespec="microseconds")),
        ("end_time", arguments.end.astimezone().isoformat(timespec="microseconds")),
    ):
        text_field(entry, name, text)
    number_field(entry, "duration", arguments.seconds, np.float32, "second")
    number_field(entry, "proton_charge", pulse_charge.sum(), np.float64, "picoCoulombs")
    number_field(entry, "total_pulses", pulses, np.uint64)
    entry["raw_frames"] = entry["total_pulses"]
    number_field(entry, "total_counts", total, np.uint64)
    sample = group(entry, "sample", "NXsample")
    text_field(sample, "name", "Si")
    text_field(sample, "nature", "Powder")
    write_users(entry, "user%d", arguments.users)
    logs = group(entry, "DASlogs", "NXcollection")
    log = group(logs, "proton_charge", "NXlog")
    log["time"] = pulse_time
    log["time"].attrs.update({"units": "second", "start": arguments.start.astimezone().isoformat()})
    log["value"] = pulse_charge
    log["value"].attrs["units"] = "picoCoulombs"
    return total


def bank_events(rng, path_metres, two_theta, frame, expected):
    """Times of flight [us] of one bank's events: seven in ten in Bragg peaks, the rest a falling background."""
    parts = []
    lines = [(position, intensity) for position, intensity in peaks(SILICON, path_metres, two_theta) if position < 0.98 * frame]
    weight = sum(intensity for _, intensity in lines)
    for position, intensity in lines:
        size = rng.poisson(0.7 * expected * intensity / weight)
        parts.append(rng.normal(position, 0.004 * position, size))
    parts.append(rng.exponential(frame / 3, rng.poisson(0.3 * expected)))
    tof = np.concatenate(parts)
    tof = tof[(tof > 0) & (tof < frame)]
    rng.shuffle(tof)
    return tof


# ---- NeXus ----


def group(parent, name, nexus_class):
    made = parent.create_group(name)
    made.attrs["NX_class"] = nexus_class
    return made


def text_field(parent, name, text):
    data = text.encode("utf-8") or b" "
    parent.create_dataset(name, data=np.array([data], "S%d" % len(data)))


def number_field(parent, name, value, kind, units=None):
    dataset = parent.create_dataset(name, data=np.array([value], kind))
    if units:
        dataset.attrs["units"] = units


def write_users(entry, pattern, names):
    for number, name in enumerate(filter(None, (part.strip() for part in names.split(","))), start=1):
        text_field(group(entry, pattern % number, "NXuser"), "name", name)


def write_log(log, arguments, values, units):
    log["time"] = np.linspace(0.0, arguments.seconds, values.size).astype(np.float32)
    log["time"].attrs.update({"units": "second", "start": arguments.start.replace(tzinfo=None).isoformat(timespec="seconds")})
    log["value"] = values.astype(np.float32)
    log["value"].attrs["units"] = units


WRITERS = {"isis": write_isis, "sns": write_sns}

if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit("make_run.py: %s" % error)
