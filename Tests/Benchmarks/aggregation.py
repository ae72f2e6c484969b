"""10,000 processes, 100 rules: which application moved how much, and was it too much?"""
import laboratory
from laboratory import goal, median, spread

ROUNDS = 31

instrument = laboratory.Instrument("aggregation")
first = instrument.round()
figures = [instrument.round() for _ in range(ROUNDS)]
rows = median(figures, "rows")
goal("aggregation: 10000 owners by 100 rules, a tick after the first", median(figures, "absorb"), "ms", 10,
     "of a processor", spread(figures, "absorb"), f"{rows:.0f} rows", f"the first tick {first['absorb']:.0f} ms",
     f"{median(figures, 'absorb') / median(figures, 'floor'):.1f} x adding the same readings in one dictionary")
for figure in figures:
    figure["both"] = figure["channel"] + figure["absorb"]
goal("aggregation: 10000 owners by 100 rules over the channel, both processes", median(figures, "both"), "ms", 15,
     "of a processor", spread(figures, "both"), f"the channel alone {median(figures, 'channel'):.1f} ms",
     f"the first tick {first['channel']:.1f} ms")
goal(f"aggregation: 10 limits on {rows:.0f} rows, a tick after the first", median(figures, "update"), "ms", 10,
     "of a processor", spread(figures, "update"), f"the first tick {first['update']:.1f} ms")
instrument.end()
