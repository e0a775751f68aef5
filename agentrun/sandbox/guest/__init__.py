"""What runs inside a sandbox. Standard library only: none of AgentRun, and nothing it depends on, is in there."""
