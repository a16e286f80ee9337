"""Frozen, validated configuration: what a codec is, how it is trained, and the one loader that reads both."""
