#!/bin/sh
# Measures everything and writes results/: under 15 minutes on two quiet cores.
cd "$(dirname "$0")/../.." && OMP_NUM_THREADS=1 PYTHONPATH=. exec "${PYTHON:-.venv/bin/python}" egs/quantizer_properties/measure.py "$@"
