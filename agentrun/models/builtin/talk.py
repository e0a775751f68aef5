"""A small conversation in English and Chinese, by rules. Where the rules end, it says what it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from agentrun.models.builtin import arithmetic
from agentrun.models.builtin.reading import Reading

_NAME = (
    re.compile(r"\b(?:my name is|call me)\s+([A-Za-z][\w'-]*)", re.IGNORECASE),
    re.compile(r"(?:我叫|我的名字(?:是|叫))\s*([\w\u4e00-\u9fff]{1,12})"),
)

# What is said, in which words, and the answer in English and in Chinese.
_RULES: tuple[tuple[str, str, str], ...] = (
    (
        r"\b(who|what) are you\b|\byour name\b|\bare you (an? )?(ai|llm|language model|gpt|chatgpt|human)|你是谁|你叫什么|你是什么|什么模型|是不是人",
        "I am builtin, the offline stand-in that comes with AgentRun. I am not a language model: I answer by rules, and I can call the tools of your agent.",
        "我是 builtin,AgentRun 自带的离线替身。我不是语言模型:我按规则回答,也能调用你的智能体的工具。",
    ),
    (
        r"\bwhat can you do\b|^help\b|你能做什么|你会什么|帮助",
        "I can greet you, do arithmetic, remember your name in this conversation, and call the tools of your agent. I am not a language model; name a real one in agentrun.yaml for anything more.",
        "我可以打招呼、做算术、在这次对话里记住你的名字,以及调用你的智能体的工具。我不是语言模型;要做更多,请在 agentrun.yaml 里配置一个真正的模型。",
    ),
    (
        r"\bhow are you\b|你好吗|最近怎么样",
        "I run, thank you. How can I help?",
        "运行正常,谢谢。有什么可以帮你?",
    ),
    (
        r"^\W*(hi|hello|hey|good (morning|afternoon|evening))\b|^\W*(你好|您好|嗨|早上好|下午好|晚上好)",
        "Hello! I am builtin, AgentRun's offline stand-in, not a language model. What shall we try?",
        "你好!我是 builtin,AgentRun 自带的离线替身,不是语言模型。想试试什么?",
    ),
    (r"\b(thanks|thank you)\b|谢谢|多谢", "You are welcome.", "不客气。"),
    (r"\b(bye|goodbye|see you)\b|再见|拜拜", "Goodbye!", "再见!"),
)
_NO_MODEL = (
    "I am builtin, AgentRun's offline stand-in and no language model, so I cannot really answer: “{}”. Name a real model in agentrun.yaml, or ask me something that one of the agent's tools can do.",
    "我是 builtin,AgentRun 自带的离线替身,不是语言模型,所以无法真正回答:“{}”。请在 agentrun.yaml 里配置一个真正的模型,或者问一个智能体的工具能解决的问题。",
)
_LONGEST_QUOTE = 80


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool that we called gave back."""

    name: str
    output: str


def answer(reading: Reading, before: Sequence[str]) -> str:
    """The answer to a question; `before` is what the user said earlier, oldest first."""
    if not reading.text:
        return "Please say something." if not reading.chinese else "请说点什么。"
    if told := _name_in(reading.text):
        return f"很高兴认识你,{told}。" if reading.chinese else f"Nice to meet you, {told}."
    if re.search(r"\bmy name\b|我叫什么|我的名字", reading.text, re.IGNORECASE):
        return _recalled(reading, before)
    repeated = re.match(
        r"(?:please\s+)?(?:repeat|say|echo)\s*[:,]?\s+(.+)|(?:请)?(?:重复|说)[::,,]?\s*(.+)",
        reading.text,
        re.IGNORECASE | re.DOTALL,
    )
    if repeated:
        said = repeated[1] or repeated[2]
        return said.strip().strip("\"“”'")
    if reading.expression is not None and (result := arithmetic.value(reading.expression)) is not None:
        return f"{reading.expression} = {arithmetic.shown(result)}"
    for words, english, chinese in _RULES:
        if re.search(words, reading.text, re.IGNORECASE):
            return chinese if reading.chinese else english
    quoted = reading.text if len(reading.text) <= _LONGEST_QUOTE else reading.text[:_LONGEST_QUOTE] + "…"
    return _NO_MODEL[reading.chinese].format(quoted)


def report(results: Sequence[ToolResult], *, chinese: bool) -> str:
    """What the tools gave, as an answer."""
    lines: list[str] = []
    for result in results:
        output = result.output.strip() or ("(没有输出)" if chinese else "(no output)")
        name = result.name or ("工具" if chinese else "the tool")
        gap = "\n" if "\n" in output else " "
        lines.append(f"{name} 的结果:{gap.strip(' ')}{output}" if chinese else f"{name} says:{gap}{output}")
    return "\n".join(lines)


def _name_in(text: str) -> str | None:
    for pattern in _NAME:
        if (match := pattern.search(text)) and match[1] not in ("什么", "啥"):
            return match[1]
    return None


def _recalled(reading: Reading, before: Sequence[str]) -> str:
    for said in reversed(before):
        if name := _name_in(said):
            return f"你叫{name}。" if reading.chinese else f"Your name is {name}."
    return "你还没有告诉我你的名字。" if reading.chinese else "You have not told me your name yet."
