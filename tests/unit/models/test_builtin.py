"""The built-in model, through the real client."""

import json
import subprocess
import sys
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError
from patience import PATIENCE_S

from agentrun.models import resolve
from agentrun.models.builtin import arithmetic
from agentrun.models.builtin.results import readable

pytestmark = pytest.mark.usefixtures("project")

STRING = {"type": "string"}
NUMBER = {"type": "number"}


def tool(name: str, description: str, required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required or list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


WEATHER = tool(
    "get_weather",
    "Get the weather in a city.",
    ["city"],
    city=STRING,
    unit={"type": "string", "enum": ["c", "f"]},
)
CALCULATOR = tool("calculator", "Evaluate an arithmetic expression.", expression=STRING)
CODE = tool("run_code", "Run Python code.", ["code"], code=STRING, language=STRING)
CLOCK = tool("get_current_time", "The time in a timezone.", timezone=STRING)
SEARCH = tool("web_search", "Search the web.", query=STRING)
ADD = tool("add", "Add two numbers.", a=NUMBER, b=NUMBER)
MULTIPLY = tool("multiply", "Multiply two numbers.", a=NUMBER, b=NUMBER)
ORDER = tool("lookup_order", "Find the order of a customer by its number.", order_id={"type": "integer"})
ALL = [WEATHER, CALCULATOR, CODE, CLOCK, SEARCH, ORDER]


def ask(question: str, **more: Any) -> Any:
    model = resolve("builtin")
    messages = more.pop("messages", None) or [{"role": "user", "content": question}]
    return model.client.chat.completions.create(model=model.id, messages=messages, **more).choices[0].message


def called(question: str, tools: list[Any], **more: Any) -> list[tuple[str, Any]]:
    calls = ask(question, tools=tools, **more).tool_calls or []
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


@pytest.mark.parametrize(
    "question", ["who are you?", "你是谁", "hello", "你好", "Write me a poem about the sea", "给我写一首诗"]
)
def test_it_says_that_it_is_no_language_model(question: str):
    content = ask(question).content
    assert "language model" in content or "语言模型" in content


def test_it_answers_in_the_language_of_the_question():
    assert ask("thanks").content == "You are welcome."
    assert ask("谢谢").content == "不客气。"


def test_it_remembers_a_name_within_the_conversation():
    messages = [
        {"role": "user", "content": "Hi, my name is Ada."},
        {"role": "assistant", "content": "Nice to meet you, Ada."},
        {"role": "user", "content": "What is my name?"},
    ]
    assert ask("", messages=messages).content == "Your name is Ada."


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("What's the weather in Paris?", [("get_weather", {"city": "Paris"})]),
        (
            "Weather in Paris and London?",
            [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "London"})],
        ),
        ("北京天气怎么样", [("get_weather", {"city": "北京"})]),
        ("what is 12*(3+4)?", [("calculator", {"expression": "12*(3+4)"})]),
        ("what is 3 plus 4", [("calculator", {"expression": "3 + 4"})]),
        ("What time is it in Tokyo?", [("get_current_time", {"timezone": "Asia/Tokyo"})]),
        ("search for asyncio tutorials", [("web_search", {"query": "asyncio tutorials"})]),
        ("请搜索 agentrun", [("web_search", {"query": "agentrun"})]),
        ("where is my order number 4711?", [("lookup_order", {"order_id": 4711})]),
        ("hello", []),
        ("tell me a joke", []),
    ],
)
def test_a_tool_is_chosen_by_what_it_says_of_itself(question: str, calls: list[Any]):
    assert called(question, ALL) == calls


def test_the_questions_of_the_guide_become_code():
    [(name, arguments)] = called("通过代码查询现在是几点?", ALL)
    assert name == "run_code" and "datetime.now()" in arguments["code"]
    [(name, arguments)] = called("帮我计算斐波那契数列的第20项", ALL)
    assert name == "run_code" and "range(20)" in arguments["code"]
    [(name, arguments)] = called("生成一个包含10个随机数的列表并计算平均值", ALL)
    assert name == "run_code" and "random" in arguments["code"]


def test_the_programs_it_writes_give_the_answer():
    [(_, arguments)] = called("compute the 20th fibonacci number 20", [CODE])
    run = subprocess.run(
        [sys.executable, "-c", arguments["code"]], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert run.stdout == "6765\n"


def test_one_operation_goes_to_the_tool_that_does_it():
    assert called("what is 3 plus 4?", [ADD, MULTIPLY]) == [("add", {"a": 3, "b": 4})]
    assert called("3 * 4", [ADD, MULTIPLY]) == [("multiply", {"a": 3, "b": 4})]
    assert called("1 + 2 * 3", [ADD, MULTIPLY]) == []


def test_tool_choice_is_obeyed():
    assert called("hello", ALL, tool_choice="required") != []
    assert called("what is 1+1", ALL, tool_choice="none") == []
    forced = {"type": "function", "function": {"name": "web_search"}}
    assert called("tea", ALL, tool_choice=forced) == [("web_search", {"query": "tea"})]
    assert len(called("Weather in Paris and London?", ALL, parallel_tool_calls=False)) == 1


def test_results_of_tools_become_the_answer():
    call = {"id": "c1", "type": "function", "function": {"name": "calculator", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "what is 6*7"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    assert ask("", messages=messages, tools=[CALCULATOR]).content == "calculator says: 42"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("plain", "plain"),
        ('{"stdout": "7\\n", "exit_code": 0}', "7\n"),
        ('{"results": [{"type": "stdout", "text": "7"}, {"type": "endOfExecution"}]}', None),
        ('{"results": [{"type": "stdout", "text": "7"}]}', "7"),
        ('[{"type": "text", "text": "sunny"}]', "sunny"),
        ("{broken", "{broken"),
    ],
)
def test_wrapped_results_are_unwrapped(output: str, text: str | None):
    assert readable(output) == (output if text is None else text)


def test_a_stream_carries_the_same_as_a_whole_answer():
    model = resolve("builtin")
    messages: Any = [{"role": "user", "content": "Weather in Paris?"}]
    whole = ask("Weather in Paris?", tools=ALL).tool_calls[0]
    name, arguments, finish, usage = "", "", None, None
    stream = model.client.chat.completions.create(
        model=model.id, messages=messages, tools=ALL, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or ():
                name += call.function.name or ""
                arguments += call.function.arguments or ""
    assert (name, arguments, finish) == (whole.function.name, whole.function.arguments, "tool_calls")
    assert usage is not None and usage.total_tokens > 0


def test_a_structured_answer_fits_its_schema():
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "mood": {"enum": ["good", "bad"]},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}},
        },
        "required": ["city", "days", "mood", "tags"],
        "$defs": {
            "Tag": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        },
    }
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "trip", "schema": schema}}
    answer = json.loads(ask("3 days in Rome, in a bad mood", response_format=wanted).content)
    assert answer["city"] == "Rome" and answer["days"] == 3 and answer["mood"] == "bad"
    assert isinstance(answer["tags"][0]["name"], str)


def test_limits_of_the_request_hold():
    model = resolve("builtin")
    messages: Any = [{"role": "user", "content": "who are you"}]
    short = model.client.chat.completions.create(model=model.id, messages=messages, max_tokens=3).choices[0]
    assert (short.message.content, short.finish_reason) == ("I am builtin,", "length")
    stopped = model.client.chat.completions.create(
        model=model.id, messages=messages, stop=["offline"]
    ).choices[0]
    assert stopped.message.content == "I am builtin, the "


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1+2*3", 7),
        ("(1+2)*3", 9),
        ("2**10", 1024),
        ("7/2", 3.5),
        ("1/0", None),
        ("9**9**9", None),
        ("__import__", None),
    ],
)
def test_arithmetic_works_out_numbers_and_nothing_else(text: str, value: float | None):
    assert arithmetic.value(text) == value


def test_what_is_no_chat_is_refused():
    client = resolve("builtin").client
    with pytest.raises(NotFoundError):
        client.embeddings.create(model="builtin", input="x")
    with pytest.raises(BadRequestError):
        client.chat.completions.create(model="builtin", messages="x")  # type: ignore[arg-type]
