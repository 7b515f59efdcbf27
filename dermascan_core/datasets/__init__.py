"""Data sets: import, check, split, download and describe folders of labelled photos; nothing here trains."""
