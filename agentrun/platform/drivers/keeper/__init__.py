"""The keeper: parent of every instance on this machine. It outlives the daemon, and nothing outlives it."""
