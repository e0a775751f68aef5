"""A LangGraph graph of a model and its tools, served as it is."""

from datetime import datetime, timezone

from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from agentrun.integration.langgraph import model
from agentrun.server import AgentRunServer


@tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


@tool
def current_time() -> str:
    """The current date and time in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


TOOLS = [multiply, current_time]

# A model of agentrun.yaml, or of the provider whose key is set; without either, the built-in one.
llm = model().bind_tools(TOOLS)


async def think(state: MessagesState) -> MessagesState:
    return {"messages": [await llm.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState)
graph.add_node("think", think)
graph.add_node("tools", ToolNode(TOOLS))
graph.add_edge(START, "think")
graph.add_conditional_edges("think", tools_condition)
graph.add_edge("tools", "think")

if __name__ == "__main__":
    AgentRunServer(invoke_agent=graph.compile()).start()
