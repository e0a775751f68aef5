"""The smallest FastAPI app: what AgentRun's start is measured against."""

from fastapi import FastAPI

app = FastAPI()


@app.post("/openai/v1/chat/completions")
async def chat():
    return {"choices": [{"message": {"role": "assistant", "content": "hello world"}}]}


if __name__ == "__main__":
    import uvicorn
    from scripted import uvicorn_options

    uvicorn.run(app, **uvicorn_options())
