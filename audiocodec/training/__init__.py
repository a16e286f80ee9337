"""Training of codecs: step functions, the loop over Accelerate, checkpoints that survive a kill, telemetry, export."""
