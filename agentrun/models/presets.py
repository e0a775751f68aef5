"""Providers that speak the OpenAI chat API: where they are and which variable usually holds their key."""

from __future__ import annotations

import msgspec


class Preset(msgspec.Struct, frozen=True):
    """`key` is the usual environment variable; `local` ones run on this machine and need none."""

    base_url: str | None
    key: str | None = None
    model: str | None = None  # a sensible one where the provider keeps a name stable
    local: bool = False
    key_header: str | None = None  # where it is not `authorization: Bearer`


PRESETS: dict[str, Preset] = {
    "openai": Preset("https://api.openai.com/v1", "OPENAI_API_KEY", "gpt-5-mini"),
    "deepseek": Preset("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "deepseek-chat"),
    "dashscope": Preset(
        "https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", "qwen-plus"
    ),
    "dashscope-intl": Preset(
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", "qwen-plus"
    ),
    "zhipu": Preset("https://open.bigmodel.cn/api/paas/v4", "ZHIPUAI_API_KEY", "glm-4-flash"),
    "moonshot": Preset("https://api.moonshot.cn/v1", "MOONSHOT_API_KEY", "kimi-latest"),
    "zai": Preset("https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
    "moonshot-intl": Preset("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", "kimi-latest"),
    "openrouter": Preset("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openrouter/auto"),
    "siliconflow": Preset("https://api.siliconflow.cn/v1", "SILICONFLOW_API_KEY"),
    "volcengine": Preset("https://ark.cn-beijing.volces.com/api/v3", "ARK_API_KEY"),
    "groq": Preset("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": Preset("https://api.mistral.ai/v1", "MISTRAL_API_KEY", "mistral-small-latest"),
    "gemini": Preset(
        "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", "gemini-flash-latest"
    ),
    "azure": Preset(None, "AZURE_OPENAI_API_KEY", key_header="api-key"),
    "ollama": Preset("http://127.0.0.1:11434/v1", local=True),
    "lmstudio": Preset("http://127.0.0.1:1234/v1", local=True),
    "llamacpp": Preset("http://127.0.0.1:8080/v1", local=True),
    "vllm": Preset("http://127.0.0.1:8000/v1", local=True),
}
# each variable once: two providers may share one
KEYS = tuple(dict.fromkeys(preset.key for preset in PRESETS.values() if preset.key))
ALIASES = {"qwen": "dashscope", "kimi": "moonshot", "glm": "zhipu", "llama.cpp": "llamacpp"}


def find(name: str) -> tuple[str, Preset] | None:
    """The preset of this name, by its own name or another that is in use."""
    known = ALIASES.get(name, name)
    preset = PRESETS.get(known)
    return None if preset is None else (known, preset)
