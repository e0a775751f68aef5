# pyright: strict
"""What a Run of AgentScope has of its own: many share the agent or the team that is served, and each has a state."""

from __future__ import annotations

import copy
from typing import Any, TypeAlias, cast

from agentscope.agent import Agent
from agentscope.pipeline import TeamMember, TeamPipeline
from agentscope.state import AgentState
from agentscope.tool import Toolkit

Served: TypeAlias = Agent | TeamPipeline


def fresh(served: Served, session_id: str | None) -> Served:
    """The same with empty states, but for what the agents may do."""
    if isinstance(served, Agent):
        return _fresh_agent(served, session_id)
    team = copy.copy(served)
    team.leader = _fresh_agent(served.leader, session_id)
    team.members = {
        name: TeamMember(agent=_fresh_agent(member.agent, None), description=member.description)
        for name, member in served.members.items()
    }
    return team


def agents_of(served: Served) -> list[Agent]:
    """The one, or the leader and the members."""
    if isinstance(served, Agent):
        return [served]
    return [served.leader, *(member.agent for member in served.members.values())]


def state_of(served: Served) -> dict[str, str]:
    """Where each agent is, as JSON by its name."""
    return {agent.name: agent.state.model_dump_json() for agent in agents_of(served)}


def resume(served: Served, states: dict[str, str]) -> None:
    """Go on where the agents were; what they may do is what they may do now."""
    for agent in agents_of(served):
        state = AgentState.model_validate_json(states[agent.name])
        state.permission_context = agent.state.permission_context
        agent.state = state


def _fresh_agent(agent: Agent, session_id: str | None) -> Agent:
    own = copy.copy(agent)
    permissions = agent.state.permission_context.model_copy(deep=True)
    session: Any = {"session_id": session_id} if session_id else {}
    own.state = AgentState(permission_context=permissions, **session)
    own.toolkit = _own_tools(agent.toolkit)
    engine: Any = cast("Any", agent)._engine
    cast("Any", own)._engine = type(engine)(permissions)
    return own


def _own_tools(toolkit: Toolkit) -> Toolkit:
    """A structured answer, or a team, adds a tool for as long as a reply takes."""
    own = copy.copy(toolkit)
    own.tool_groups = [copy.copy(group) for group in toolkit.tool_groups]
    for group in own.tool_groups:
        group.tools = list(group.tools)
    return own
