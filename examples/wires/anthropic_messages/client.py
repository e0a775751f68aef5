"""A streamed answer, block by block; run app.py before.

python examples/wires/anthropic_messages/client.py [URL]
"""

import sys

from anthropic import Anthropic


def main(url: str) -> None:
    with Anthropic(base_url=f"{url}/anthropic", api_key="none") as client:
        with client.beta.messages.stream(
            model="agentrun", max_tokens=100, messages=[{"role": "user", "content": "21"}]
        ) as stream:
            for block in stream.get_final_message().content:
                if block.type == "thinking":
                    print("thinks:", block.thinking)
                elif block.type == "mcp_tool_use":
                    print("uses:", block.name, block.input)
                elif block.type == "text":
                    print(block.text)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9000")
