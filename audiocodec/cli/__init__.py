"""The `audiocodec` command; one file a command, and no torch until a command needs it."""
