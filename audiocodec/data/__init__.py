"""Recordings to train on: manifests, random crops that depend only on seed and step, caching, reading ahead."""
