"""`python -m agentrun.cli`, where the `agentrun` script is not on the path."""

from agentrun.cli import main

main()
