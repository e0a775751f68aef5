"""Benchmarks: what AgentRun costs beside a hand-written ASGI app and beside FastAPI as users write it."""
