"""Measures the core and the job: `./build.sh bench`; start reading at `figures.py`."""
