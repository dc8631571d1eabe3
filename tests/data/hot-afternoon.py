#!/usr/bin/env python3
"""Writes the recordings beside it: a hot afternoon of two minutes, one reading a second, and the same afternoon told by a machine
whose system always says "nominal" and which has no temperature sensors. Deterministic, so that a second run changes nothing.
"""

import json
from pathlib import Path

# Seconds at which a state begins, and the °C and watts that are reached there.
AFTERNOON = [
    (0, "nominal", 55.0, 28.0),
    (20, "fair", 88.0, 46.0),
    (40, "serious", 99.0, 44.0),
    (60, "critical", 106.0, 36.0),
    (75, "serious", 98.0, 26.0),
    (90, "fair", 86.0, 20.0),
    (105, "nominal", 70.0, 16.0),
    (120, "nominal", 52.0, 12.0),
]
GIB = 1 << 30


def between(second: int) -> tuple[str, float, float]:
    """The state at a second; temperature and power move in a straight line to the next."""
    for (start, state, celsius, watts), (end, _, celsius_end, watts_end) in zip(AFTERNOON, AFTERNOON[1:]):
        if start <= second < end:
            part = (second - start) / (end - start)
            return state, celsius + part * (celsius_end - celsius), watts + part * (watts_end - watts)
    return AFTERNOON[-1][1:]


def reading(second: int, lying: bool) -> dict:
    state, celsius, watts = between(second)
    sensors = {} if lying else {
        "cpuCelsius": round(celsius, 1),
        "gpuCelsius": round(celsius - 4.0, 1),
        "fans": [{"name": "fan0", "rpm": round(1200 + 48 * max(0.0, celsius - 55.0)), "maxRpm": 4900}],
    }
    return {
        "atMs": second * 1000,
        "cpuUsage": 0.62,
        "coreTiers": [{"label": "P", "usage": 0.74, "mhz": 3500}, {"label": "E", "usage": 0.31, "mhz": 2400}],
        "gpuUsage": 0.93,
        "cpuWatts": round(watts * 0.3, 1),
        "gpuWatts": round(watts * 0.5, 1),
        "aneWatts": 0.0,
        "systemWatts": round(watts, 1),
        **sensors,
        "memory": {"totalBytes": 16 * GIB, "usedBytes": 11 * GIB, "swapTotalBytes": 2 * GIB, "swapUsedBytes": 0},
        "pressure": "normal",
        "thermal": "nominal" if lying else state,
        "onMains": True,
        "lowPower": False,
        "disk": {"totalBytes": 494 * 10**9, "freeBytes": 210 * 10**9},
    }


def main() -> None:
    here = Path(__file__).parent
    for name, lying in [("hot-afternoon", False), ("hot-afternoon-lying", True)]:
        lines = [json.dumps(reading(second, lying)) for second in range(121)]
        (here / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


main()
