"""A service of FastAPI's: HTTP on the port in PORT is all that the platform asks for."""

from __future__ import annotations

import os

import uvicorn
from fastapi import FastAPI

app = FastAPI(title="my-agent")


@app.get("/health")
def health() -> dict[str, str]:
    """What the platform asks for."""
    return {"status": "ok"}


@app.get("/")
def hello() -> dict[str, str]:
    """What everybody else asks for."""
    return {"message": "Hello from my-agent"}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "3000")))
