"""Runs two programs with the same arguments and compares the numbers that they print, one a line.

    python3 examples/compare.py HOST_PROGRAM DEVICE_PROGRAM ARGUMENT...

Exit: 0 equal within 1e-5 of the largest, 1 not, 77 no device for the second program.
"""

import subprocess
import sys

NO_DEVICE = 77


def main(host, device, *arguments):
    runs = [subprocess.run([program, *arguments], capture_output=True, text=True) for program in (host, device)]
    if runs[1].returncode == NO_DEVICE:
        print("no OpenCL device")
        return NO_DEVICE
    for run in runs:
        if run.returncode != 0:
            print(f"{run.args[0]} ended with {run.returncode}: {run.stderr}")
            return 1
    ours, theirs = ([float(line) for line in run.stdout.split()] for run in runs)
    largest = max(map(abs, ours), default=0)
    if not ours or len(ours) != len(theirs) or largest == 0:
        print(f"{len(ours)} and {len(theirs)} numbers")
        return 1
    worst = max(abs(one - other) for one, other in zip(ours, theirs))
    print(f"{len(ours)} numbers, differing by {worst / largest:.1e} of the largest at most")
    return 0 if worst <= 1e-5 * largest else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
