"""The report as a page: one file per section, in the order of a reader's questions."""
