"""A LangGraph graph as the agent: a model, its tools, and the edges between them.

python examples/langgraph/app.py, then:  agentrun invoke "What is 6 * 7?"

Needs LangGraph: pip install langgraph langchain-openai. Without a key the built-in model stands in.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# LangGraph's own types are partial.

from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from agentrun import AgentRunServer
from agentrun.integration.langgraph import model


@tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


llm = model().bind_tools([multiply])


async def think(state: MessagesState) -> MessagesState:
    return {"messages": [await llm.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState)
graph.add_node("think", think)
graph.add_node("tools", ToolNode([multiply]))
graph.add_edge(START, "think")
graph.add_conditional_edges("think", tools_condition)
graph.add_edge("tools", "think")
agent = graph.compile()

if __name__ == "__main__":
    AgentRunServer(invoke_agent=agent).start()
