"""Figures of a report, one file per subject: `*_info` gathers the numbers, `draw_*` renders them."""
