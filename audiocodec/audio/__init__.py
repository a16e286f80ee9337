"""Recordings: files in and out (soundfile), resampling (soxr), spectral front ends."""
