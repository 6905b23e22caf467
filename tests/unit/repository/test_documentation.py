"""What the documentation says about the repository is true."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import click
import pytest
import yaml
from tests.unit.repository.repository_files import ROOT

from nxt_entrypoints.cli.commands import nxt
from nxt_entrypoints.settings.registry import ALIASES, VARIABLES

PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")])
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
CALL = re.compile(r"(?:^ *|\(|&& |exec api )nxt ([a-z][^|)&#]*)")
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
FOLDERS = ("src/", "tests/", "docs/", "alembic/", "deploy/", "tools/", "examples/", "benchmarks/", ".ci/")
ARCHITECTURE = TEXTS["docs/architecture.md"]
# Named, but read by Jupyter's or other programs, or explained as a pattern; the token tool's keys [STS-75]; codes.
OTHERS_VARIABLES = {"POSTGRES_PASSWORD", "RELATIONAL_URL", "SERIES_URL", "NEW_SERVER_URL"} | {
    "NXT_STS_KEY",
    "NXT_STS_NEW_KEY",
    "NXT_STS_VENDING_KEY",
    "TOKEN_FAILED",
}


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(text) if language in languages]


def spans(text: str) -> list[str]:
    """Return inline code, outside blocks."""
    return CODE.findall(BLOCK.sub("", text))


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    """Of relative links; other hosts are not asked."""
    targets = [link for link in LINK.findall(BLOCK.sub("", TEXTS[name])) if "://" not in link]
    folder = (ROOT / name).parent
    missing = [link for link in targets if not (folder / link.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("name", TEXTS)
def test_files_that_are_named_exist(name: str) -> None:
    named = [span for span in spans(TEXTS[name]) if span.startswith(FOLDERS) and not re.search(r"[<*{…]", span)]
    assert [span for span in named if not (ROOT / span).exists()] == []


def test_every_step_of_a_purchase_has_its_file() -> None:
    """The table of the way of a purchase names at least one file in each row, and each exists."""
    table = ARCHITECTURE.split("## The way of a purchase")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    files = [CODE.findall(row.split("|")[3]) for row in rows]
    assert len(rows) >= 40
    assert [row for row, named in zip(rows, files, strict=True) if not named] == []
    assert [name for named in files for name in named if not (ROOT / name).is_file()] == []


def test_the_steps_of_the_picture_are_those_of_the_table() -> None:
    table = ARCHITECTURE.split("## The way of a purchase")[1].split("\n## ")[0]
    steps = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    picture = (ROOT / "docs/images/purchase.svg").read_text()
    assert {int(number) for number in re.findall(r">(\d+)  ", picture)} == steps == set(range(1, 19))


@pytest.mark.parametrize("path", sorted((ROOT / "docs/images").glob("*.svg")), ids=lambda path: path.stem)
def test_pictures_are_whole_and_need_no_other_host(path: Path) -> None:
    ET.parse(path)
    hosts = set(re.findall(r"https?://([^/\"' ]+)", path.read_text()))
    assert hosts <= {"www.w3.org"}


def commands_in(text: str) -> list[list[str]]:
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    found = [CALL.findall(source) for source in [*lines, *spans(text)]]
    return [re.split(r" -| [^a-z]", words)[0].split() for matches in found for words in matches]


def unknown_words(words: list[str]) -> list[str]:
    command: click.Command = nxt
    for index, word in enumerate(words):
        if not isinstance(command, click.Group) or word.startswith("-"):
            return []
        found = command.get_command(click.Context(command), word)
        if found is None:
            return words[index:]
        command = found
    return []


@pytest.mark.parametrize("name", TEXTS)
def test_commands_exist(name: str) -> None:
    assert [words for words in commands_in(TEXTS[name]) if unknown_words(words)] == []


def test_an_unknown_command_would_be_noticed() -> None:
    assert commands_in("```sh\nnxt ledger audit --json\n```\n and `nxt frobnicate now`") == [
        ["ledger", "audit"],
        ["frobnicate", "now"],
    ]
    assert unknown_words(["ledger", "audit"]) == []
    assert unknown_words(["frobnicate"]) == ["frobnicate"]


@pytest.mark.parametrize("name", TEXTS)
def test_options_of_commands_exist(name: str) -> None:
    lines = [line for block in blocks(TEXTS[name], "sh") for line in block.splitlines()]
    for line in [*lines, *spans(TEXTS[name])]:
        for words in CALL.findall(line):
            command: click.Command = nxt
            for word in words.split():
                if isinstance(command, click.Group) and (inner := command.get_command(click.Context(command), word)):
                    command = inner
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            assert [word for word in words.split() if word.startswith("--") and word not in known] == [], line


@pytest.mark.parametrize("name", TEXTS)
def test_variables_are_in_the_registry(name: str) -> None:
    """[API-204] Everything that looks like a variable of ours is one."""
    words = {word for span in spans(TEXTS[name]) for word in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", span)}
    ours = {word for word in words if word.split("_")[0] in {v.split("_")[0] for v in VARIABLES}}
    unknown = {word for word in ours - OTHERS_VARIABLES if word not in VARIABLES and word not in ALIASES}
    assert {word for word in unknown if not word.startswith("NXT_TEST_")} == set()


def test_figures_that_operators_watch_exist() -> None:
    named = {span for span in spans(TEXTS["docs/operating.md"]) if re.match(r"(?:nxt|device_messaging)_\w+$", span)}
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert len(named) >= 8
    # prometheus-client adds the suffix of a counter by itself.
    written = {name: (f'"{name}"', f'"{name.removesuffix("_total")}"') for name in named - {"nxt_app"}}
    assert [name for name, spellings in written.items() if not any(text in sources for text in spellings)] == []


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if blocks(text, "python")])
def test_python_on_the_pages_parses_and_its_imports_resolve(name: str) -> None:
    for body in blocks(TEXTS[name], "python"):
        tree = compile(body, name, "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_the_site_shows_every_page() -> None:
    """mkdocs --strict checks links; here: nothing is left out, nothing comes from elsewhere."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    shown = set(re.findall(r"[\w/.-]+\.md", yaml.safe_dump(config["nav"])))
    assert shown == {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert config["theme"]["font"] is False
    assert config["strict"] is True


def test_each_decision_is_listed_with_its_number() -> None:
    index = TEXTS["docs/decisions/index.md"]
    records = sorted((ROOT / "docs/decisions").glob("0*.md"))
    assert len(records) >= 3
    for record in records:
        number = record.name[:4]
        assert f"[{number}]({record.name})" in index
        assert record.read_text().startswith(f"# {int(number)}. ")
        assert "\nState: " in record.read_text()


def test_the_drill_of_restoring_is_described() -> None:
    """[R59] Dump of both planes, the same keys, an audit, and each waiting message delivered once."""
    text = TEXTS["docs/recovering.md"]
    for words in ("NXT_SECRETS_KEYS", "pg_dump", "pg_restore", "nxt ledger audit", "nxt doctor", "once"):
        assert words in text
