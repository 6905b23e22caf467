"""Series, snapshots, consumption and the digital twin of each grid: formulas over numpy columns."""
