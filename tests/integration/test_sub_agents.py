"""Agents that work together, in each framework's own way: on every wire the same parts in order, and who speaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from fake_upstream import Answer, FakeUpstream, said
from over_wires import BOT, PATIENCE_S, WIRES, Piece, told
from run_agent import events_of, outline
from serving import served

from agentrun.events import Custom, RunFinished
from agentrun.integration import adapt
from agentrun.models import Model, resolve

pytestmark = pytest.mark.usefixtures("project")
_ELSEWHERE = "its caps do not fit the others; see scripts/test-frameworks"


class Case(NamedTuple):
    """A boss that has another one work: by which call, and what is then to be seen."""

    build: Callable[[Model], Any]
    call: str
    arguments: dict[str, str]
    result: str
    speak: list[str]
    inner: bool = False  # what the other says is shown as it speaks, beside the result
    last_word: bool = True  # the boss speaks again


def sub_graph(model: Model) -> Any:
    """The other is asked by a tool, as LangChain's documentation has it."""
    from langchain.agents import create_agent

    from agentrun.integration.langgraph import model as named

    worker = create_agent(named(model), tools=[], name="worker")

    async def ask_worker(task: str) -> str:
        """Have the worker do a task."""
        answer = await worker.ainvoke({"messages": [{"role": "user", "content": task}]})
        return answer["messages"][-1].text

    return create_agent(named(model), tools=[ask_worker], name="boss")


def handoff(model: Model) -> Any:
    from agents import Agent

    from agentrun.integration.openai_agents import model as named

    worker = Agent(name="worker", model=named(model))
    return Agent(name="boss", model=named(model), handoffs=[worker])


def as_tool(model: Model) -> Any:
    from agents import Agent

    from agentrun.integration.openai_agents import model as named

    worker = Agent(name="worker", model=named(model))
    tool = worker.as_tool("ask_worker", "Have the worker do a task.")
    return Agent(name="boss", model=named(model), tools=[tool])


def delegation(model: Model) -> Any:
    from pydantic_ai import Agent

    from agentrun.integration.pydantic_ai import model as named

    worker = Agent(named(model))

    async def ask_worker(task: str) -> str:
        """Have the worker do a task."""
        return (await worker.run(task)).output

    return Agent(named(model), tools=[ask_worker])


def transfer(model: Model) -> Any:
    agents = pytest.importorskip("google.adk.agents", reason=_ELSEWHERE)

    from agentrun.integration.google_adk import model as named

    worker = agents.LlmAgent(name="worker", description="Works.", model=named(model))
    return agents.LlmAgent(name="boss", model=named(model), sub_agents=[worker])


def agent_tool(model: Model) -> Any:
    agents = pytest.importorskip("google.adk.agents", reason=_ELSEWHERE)
    from google.adk.tools.agent_tool import AgentTool

    from agentrun.integration.google_adk import model as named

    worker = agents.LlmAgent(name="worker", description="Works.", model=named(model))
    return agents.LlmAgent(name="boss", model=named(model), tools=[AgentTool(worker)])


def team(model: Model, *members: str) -> Any:
    pytest.importorskip("agentscope", reason=_ELSEWHERE)
    from agentscope.agent import Agent
    from agentscope.pipeline import TeamMember, TeamPipeline

    from agentrun.integration.agentscope import model as named

    workers = [Agent(name, "Work.", named(model)) for name in members or ("worker",)]
    boss = Agent("boss", "Assign.", named(model))
    return TeamPipeline(boss, [TeamMember(agent=worker, description="Works.") for worker in workers])


def crew(model: Model) -> Any:
    crewai = pytest.importorskip("crewai", reason=_ELSEWHERE)

    from agentrun.integration.crewai import model as named

    boss, worker = (
        crewai.Agent(
            role=role, goal="help", backstory="kind", llm=named(model), allow_delegation=role == "boss"
        )
        for role in ("boss", "worker")
    )
    task = crewai.Task(description="See to it.", expected_output="the end", agent=boss)
    return crewai.Crew(agents=[boss, worker], tasks=[task])


TASK = {"task": "dig"}
BACK = ["boss", "worker", "boss"]
CASES = {
    "langgraph sub-graph": Case(sub_graph, "ask_worker", TASK, "It is dug.", BACK, inner=True),
    "openai_agents handoff": Case(
        handoff, "transfer_to_worker", {}, '{"assistant": "worker"}', BACK[:2], last_word=False, inner=True
    ),
    "openai_agents as a tool": Case(as_tool, "ask_worker", {"input": "dig"}, "It is dug.", BACK[:1]),
    "pydantic_ai delegation": Case(delegation, "ask_worker", TASK, "It is dug.", []),
    "google_adk transfer": Case(
        transfer, "transfer_to_agent", {"agent_name": "worker"}, "", BACK[:2], last_word=False, inner=True
    ),
    "google_adk as a tool": Case(agent_tool, "worker", {"request": "dig"}, "It is dug.", BACK[:1]),
    "agentscope team": Case(
        team, "TeamAssign", {"member": "worker", "prompt": "dig"}, "It is dug.", BACK, inner=True
    ),
    "crewai delegation": Case(
        crew,
        "delegate_work_to_coworker",
        {"task": "dig", "context": "garden", "coworker": "worker"},
        "It is dug.",
        BACK,
        inner=True,
    ),
}


def scripted(case: Case) -> list[Answer]:
    """The boss has the other do it, that one speaks, and then the boss, where it has the last word."""
    return [
        *calling((case.call, case.arguments)),
        said("It is ", "dug."),
        *[said("All ", "done.")] * case.last_word,
    ]


def calling(*calls: tuple[str, dict[str, str]]) -> list[Answer]:
    deltas = [
        {
            "index": n,
            "id": f"c{n}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(given)},
        }
        for n, (name, given) in enumerate(calls)
    ]
    return [Answer(deltas=[{"content": "Let us see."}, {"tool_calls": deltas}], finish="tool_calls")]


def seen(case: Case) -> list[Piece]:
    """What is told of it: a worker that is a tool is heard before its result is there, one that takes over after it."""
    call = ("tool_call", case.call + json.dumps(case.arguments).replace(" ", ""))
    result, inner = [("tool_result", case.result)] * bool(case.result), [("text", "It is dug.")] * case.inner
    work = [*inner, *result] if case.last_word else [*result, *inner]
    return [("text", "Let us see."), call, *work, *[("text", "All done.")] * case.last_word]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def model(upstream: FakeUpstream) -> Model:
    return resolve("m", base_url=upstream.url, model="x")


@pytest.fixture
def url(case: Case, model: Model) -> Iterator[str]:
    with served(case.build(model), bot_id=BOT) as url:
        yield url


def test_every_wire_tells_it_in_order(url: str, case: Case, upstream: FakeUpstream):
    """In one server: each Run finds the agents as they were made, whatever those before it did."""
    for wire in WIRES:
        upstream.script = scripted(case)
        parts = told(url, wire)
        if wire == "mcp":  # whose result is the text; what is told of the rest on the way comes in batches
            assert parts[-1] == ("text", "".join(text for kind, text in seen(case) if kind == "text"))
        else:
            assert ordered(parts) == ordered(seen(case)), wire
        assert not upstream.script, wire


def ordered(parts: list[Piece]) -> list[Piece]:
    """Some wires show a result when it is begun, others when it is whole: it has to be after its call, and what is said in order."""
    results = [part for part in parts if part[0] == "tool_result"]
    rest: list[Piece] = []
    for kind, text in (part for part in parts if part not in results):
        joined = rest and rest[-1][0] == kind == "text"
        rest.append((kind, rest.pop()[1] + text if joined else text))
    position = min((parts.index(result) for result in results), default=len(parts))
    assert all(kind != "tool_call" for kind, _ in parts[position:])
    return [*rest, *(result for result in results if result[1])]


def test_who_speaks_is_told(url: str, case: Case, upstream: FakeUpstream):
    upstream.script = scripted(case)
    path, body, _ = WIRES["ag_ui"]
    lines = httpx.post(f"{url}{path}", json=body, timeout=PATIENCE_S).text.splitlines()
    frames = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert [frame["value"] for frame in frames if frame.get("name") == "agent"] == case.speak


def fan_out(model: Model) -> Any:
    from langgraph.graph import START, MessagesState, StateGraph

    from agentrun.integration.langgraph import model as named

    async def think(state: MessagesState) -> Any:
        return {"messages": [await named(model).ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    for node in ("ada", "bob"):
        graph.add_node(node, think)
        graph.add_edge(START, node)
    return graph.compile()


def parallel(model: Model) -> Any:
    agents = pytest.importorskip("google.adk.agents", reason=_ELSEWHERE)

    from agentrun.integration.google_adk import model as named

    both = [agents.LlmAgent(name=name, model=named(model)) for name in ("ada", "bob")]
    return agents.ParallelAgent(name="both", sub_agents=both)


def async_tasks(model: Model) -> Any:
    crewai = pytest.importorskip("crewai", reason=_ELSEWHERE)

    from agentrun.integration.crewai import model as named

    def task(role: str, **more: Any) -> Any:
        agent = crewai.Agent(role=role, goal="help", backstory="kind", llm=named(model))
        return crewai.Task(description="Do it.", expected_output="a word", agent=agent, **more)

    both = [task(role, async_execution=True) for role in ("ada", "bob")]
    tasks = [*both, task("boss", context=both)]
    return crewai.Crew(agents=[task.agent for task in tasks], tasks=tasks)


def assigned(*members: str) -> list[Answer]:
    return calling(*(("TeamAssign", {"member": name, "prompt": "dig"}) for name in members))


@pytest.mark.parametrize(
    ("build", "before", "after"),
    [
        pytest.param(fan_out, [], [], id="langgraph"),
        pytest.param(parallel, [], [], id="google_adk"),
        pytest.param(async_tasks, [], [said("end")], id="crewai"),
        pytest.param(lambda m: team(m, "ada", "bob"), assigned("ada", "bob"), [said("end")], id="agentscope"),
    ],
)
async def test_two_that_speak_at_once_are_not_mixed(
    build: Any, before: list[Answer], after: list[Answer], model: Model, upstream: FakeUpstream
):
    def both_ask() -> bool:
        return upstream.most_open > 1

    spoken = [
        said(*(f"{word} " for word in [name] * 20), when=both_ask, pause_s=0.001) for name in ("ha", "ho")
    ]
    upstream.script = [*before, *spoken, *after]
    events = await events_of(build(model), "go")
    texts = [text for kind, text in outline(events) if kind == "text"]
    assert sorted(texts[bool(before) :][:2]) == ["ha " * 20, "ho " * 20]
    names = [event.value for event in events if isinstance(event, Custom) and event.name == "agent"]
    assert build is fan_out or {"ada", "bob"} <= set(names)


async def test_a_member_of_an_agentscope_team_asks_a_human_and_goes_on_with_the_answer(
    model: Model, upstream: FakeUpstream
):
    pytest.importorskip("agentscope", reason=_ELSEWHERE)
    from agentscope.agent import Agent
    from agentscope.pipeline import TeamMember, TeamPipeline
    from approving import agentscope, deleted

    from agentrun.integration.agentscope import model as named

    deleted.clear()
    worker = agentscope()
    worker.name, worker.model = "worker", named(model)
    known = adapt(
        TeamPipeline(Agent("boss", "Assign.", named(model)), [TeamMember(agent=worker, description="Works.")])
    )
    upstream.script = [*assigned("worker"), *calling(("delete_file", {"name": "a.txt"}))]
    events = await events_of(known, "go", session_id="s")
    assert events[-1] == RunFinished("input_required") and deleted == []
    upstream.script = [said("It is gone."), said("All done.")]
    events = await events_of(known, "yes", session_id="s")
    assert deleted == ["a.txt"] and not upstream.script
    assert [text for kind, text in outline(events) if kind == "text"] == ["It is gone.", "All done."]
    assert [event.value for event in events if isinstance(event, Custom)] == ["worker", "boss"]
