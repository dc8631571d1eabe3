#!/usr/bin/env python3
"""Fills Hearth's time line with a month of use that ends now: fill_timeline.py timeline.db. A laptop on warm afternoons.

It is half past three in the afternoon at the end, whatever the clock says, so that pictures show the heat. The order of the figures is that of FIGURES in crates/app/src/timeline/point.rs.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
import sys
import time

GIB = 1 << 30
HOUR = 3600
DAY = 24 * HOUR
COOL = 44.0
ROUND = 50 * 60
MODEL = "starter"
LIMITS = {"duty": 1.0, "threads": None, "parallel": None, "queue": None, "background": True, "keepIdle": True, "load": True}


# Seconds from the clock to the time of day that is played.
shift = 0


def noise(at: int, salt: int) -> float:
    """The same number for the same second, 0 to 1."""
    x = math.sin(at * 12.9898 + salt * 78.233) * 43758.5453
    return x - math.floor(x)


def heat(at: float) -> float:
    """0 to 1: warm in the afternoon, in rounds of an hour."""
    hour = (at + shift) / HOUR % 24
    day = max(0.1, math.sin((hour - 7) / 15 * math.pi))
    return max(0.0, min(1.0, day * (0.62 + 0.55 * math.sin((at + shift) / ROUND * 2 * math.pi))))


def hot(at: float) -> bool:
    return heat(at) > 0.82


def figures(at: int, step: int) -> list[float | None]:
    """One point; longer ones are smoother, as means are."""
    rough = 1 if step == 1 else 0.25
    h = heat(at)
    share = 0.25 + 0.5 * noise(at // 600, 1)
    busy = noise(at // max(150, step), 2) < share + 0.2
    duty = 0.6 if hot(at) else 1.0
    speed = COOL * (1 - max(0.0, h - 0.55) * 0.75) + (noise(at, 3) - 0.5) * 3 * rough
    first = 180 + h * 700 + noise(at, 4) * 90
    celsius = 44 + h * 52 + noise(at, 5) * 2 * rough
    watts = (9 + 30 * (1 if step == 1 and busy else share if step > 1 else 0)) * (1 - h * 0.15) + noise(at, 6) * 2 * rough
    return [
        speed if busy else None, COOL if busy else None, first if busy and (step > 1 or noise(at, 7) > 0.9) else None,
        1 + round(noise(at // 30, 8)) if busy else 0, round(noise(at // 40, 9) * 4) if busy and hot(at) else 0,
        watts, watts * 0.3, watts * 0.5, celsius, celsius - 4, 0.7 if busy else 0.05, 0.9 if busy else 0.03,
        (9.2 + h * 5 + noise(at, 10) * 0.2 * rough) * GIB, max(0.0, h - 0.7) * 3 * GIB,
        2 if hot(at) else 1 if h > 0.55 else 0, 1 if h > 0.93 else 0, 82, duty,
    ]


def point(values: list[float | None], count: int) -> bytes:
    return b"".join(struct.pack("<Hf", 0 if value is None else count, value or 0.0) for value in values)


def away(at: int, now: int) -> bool:
    """Nights, and a short trip: Hearth does not run."""
    return not 8 <= (at + shift) / HOUR % 24 < 23 and now - at > DAY or 9 * DAY < now - at < 11.5 * DAY


def marks(now: int) -> list[tuple[int, str, int, dict]]:
    found = []
    limits = None
    for at in range(now - 30 * DAY, now, 60):
        if away(at, now):
            continue
        if hot(at) != limits:
            limits = hot(at)
            reasons = [{"type": "heat", "state": "serious", "celsius": round(44 + heat(at) * 52)}] if limits else []
            decision = {"level": "slowed" if limits else "free", "limits": {**LIMITS, "duty": 0.6 if limits else 1.0, "background": not limits}, "reasons": reasons}
            found.append((at, "limits", 3, {"type": "limits", "decision": decision}))
    others = [
        (29 * DAY, "client", 0, {"type": "client", "name": "Zed"}), (22 * DAY, "loaded", 1, {"type": "loaded", "model": MODEL}), (16 * DAY, "alert", 4, {"type": "alert", "alert": {"type": "heat", "state": "serious"}}),
        (11.5 * DAY, "slept", 2, {"type": "slept"}), (9 * DAY, "woke", 2, {"type": "woke", "asleepS": int(2.5 * DAY)}), (20 * HOUR, "client", 0, {"type": "client", "name": "claude-cli"}),
        (5 * HOUR, "alert", 4, {"type": "alert", "alert": {"type": "queue", "waiting": 12}}), (50 * 60, "loaded", 1, {"type": "loaded", "model": MODEL}), (22 * 60, "client", 0, {"type": "client", "name": "Continue"}),
    ]
    return found + [(int(now - ago), kind, weight, what) for ago, kind, weight, what in others]


def main(path: str) -> None:
    global shift
    now = int(time.time())
    shift = int(15.5 * HOUR) - now % DAY
    db = sqlite3.connect(path)
    for table, step, span in (("seconds", 1, HOUR), ("tens", 10, DAY), ("minutes", 60, 30 * DAY), ("half_hours", 1800, 30 * DAY)):
        begin = (now - span) // step * step + step
        rows = ((at * 1000, point(figures(at, step), step)) for at in range(begin, now, step) if not away(at, now))
        db.executemany(f"INSERT OR REPLACE INTO {table} (at_ms, data) VALUES (?, ?)", rows)
    rows = ((at * 1000, kind, weight, json.dumps(what)) for at, kind, weight, what in sorted(marks(now), key=lambda mark: mark[0]))
    db.executemany("INSERT INTO marks (at_ms, kind, weight, what) VALUES (?, ?, ?, ?)", rows)
    db.commit()


main(sys.argv[1])
