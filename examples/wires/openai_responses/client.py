"""Two answers, the second of which goes on from the first; run app.py before.

python examples/wires/openai_responses/client.py [URL]
"""

import sys

from openai import OpenAI


def main(url: str) -> None:
    with OpenAI(base_url=f"{url}/openai/v1", api_key="none") as client:
        first = client.responses.create(model="agentrun", input="My name is Ada.")
        print(first.output_text)
        with client.responses.stream(
            model="agentrun", input="Who am I?", previous_response_id=first.id
        ) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    print(event.delta, end="", flush=True)
        print()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9000")
