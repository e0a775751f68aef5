"""Somebody's HTTP API, which has an OpenAPI document as every FastAPI app has: http://127.0.0.1:9001/openapi.json."""

import os

import uvicorn
from fastapi import FastAPI, HTTPException

PRICES = {"apple": 0.4, "pear": 0.6}
app = FastAPI(title="Shop")


@app.get("/prices/{fruit}", operation_id="get_price", summary="What a fruit costs, in euros")
def get_price(fruit: str) -> dict[str, float]:
    if fruit not in PRICES:
        raise HTTPException(404, f"There are no {fruit}s; there are {', '.join(PRICES)}.")
    return {"euros": PRICES[fruit]}


@app.delete("/prices/{fruit}", operation_id="delete_price")
def delete_price(fruit: str) -> None:
    del PRICES[fruit]


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "9001")))
