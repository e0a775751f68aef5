"""What any part may use and that knows nothing of agents."""
