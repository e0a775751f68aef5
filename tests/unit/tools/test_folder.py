"""A folder to search: what is found in it, and what is never looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentrun.errors import ConfigError
from agentrun.tools import knowledge, toolset

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture
def shop(project: Path) -> Path:
    """A folder of what a shop knows, as the toolset "shop"."""
    folder = project / "shop"
    (folder / "faq").mkdir(parents=True)
    (folder / "returns.md").write_text(
        "# Returns\n\nA parcel goes back within 30 days.\n\nThe refund takes a week.", "utf-8"
    )
    (folder / "faq" / "shipping.txt").write_text("Parcels to Norway take six days.", "utf-8")
    (folder / "faq" / "中文.md").write_text("退货需要在三十天内办理。\n\n配送到北京需要两天。", "utf-8")
    (project / "agentrun.yaml").write_text("tools:\n  shop: {folder: shop}\n", "utf-8")
    return folder


async def found(query: str) -> str:
    return await toolset("shop")["search_shop"].call({"query": query})


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("query", "source", "text"),
    [
        ("How long does a REFUND take?", "returns.md", "The refund takes a week."),
        ("days to norway", "faq/shipping.txt", "Norway"),
        ("北京配送要几天", "faq/中文.md", "配送到北京需要两天。"),
        ("shipping", "faq/shipping.txt", "Norway"),
    ],
    ids=["refund", "norway", "chinese", "by the file's name"],
)
async def test_the_passage_with_the_question_s_words_comes_first(query: str, source: str, text: str):
    told = await found(query)
    assert told.startswith(f"[{source}]\n") and text in told.partition("\n\n[")[0]


@pytest.mark.usefixtures("shop")
async def test_what_is_not_in_it_is_not_made_up():
    assert await found("quantum chromodynamics") == "Nothing in it has these words."


async def test_what_changes_is_found_as_it_is_now(shop: Path):
    tools = toolset("shop")
    assert "Nothing" in await tools["search_shop"].call({"query": "gift"})
    (shop / "gifts.md").write_text("A gift card lasts two years.", "utf-8")
    assert "two years" in await tools["search_shop"].call({"query": "gift"})


async def test_hidden_files_links_out_of_it_and_other_kinds_are_left_alone(shop: Path, tmp_path: Path):
    secret = tmp_path / "secret.md"
    secret.write_text("The password is swordfish.", "utf-8")
    (shop / "link.md").symlink_to(secret)
    (shop / ".notes.md").write_text("swordfish", "utf-8")
    (shop / "keys.pem").write_text("swordfish", "utf-8")
    (shop / "huge.md").write_text("swordfish " * 300_000, "utf-8")
    assert await found("swordfish") == "Nothing in it has these words."


async def test_a_long_file_is_given_in_passages(shop: Path):
    (shop / "long.md").write_text("\n\n".join(f"Item {n} costs {n} coins." for n in range(1000)), "utf-8")
    told = await found("item 777")
    assert "Item 777 costs" in told.partition("\n\n[")[0] and len(told) < 10_000


@pytest.mark.usefixtures("shop")
def test_knowledge_bases_are_asked_for_together_as_in_the_original():
    pytest.importorskip("langchain_core")
    from agentrun.integration.langchain import knowledgebase_toolset

    assert [tool.name for tool in knowledgebase_toolset(["shop"], prefix="my_")] == ["my_search_shop"]
    assert [tool.name for tool in knowledge("shop")] == ["search_shop"]


def test_a_folder_that_is_not_there_is_a_mistake_with_its_place(project: Path):
    (project / "agentrun.yaml").write_text("tools:\n  shop: {folder: nowhere}\n", "utf-8")
    with pytest.raises(ConfigError, match=r"agentrun.yaml:2: there is no folder .*nowhere"):
        toolset("shop")
