"""What must and must not be in the repository."""

from __future__ import annotations

import re

import pytest
from tests.unit.repository.repository_files import ROOT, texts

TEXTS = texts()
LONGEST_FILE = 500
# Written in halves, so that this file is not its own finding.
REGISTRIES = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.", "debian" + r"\.org", r"\bghcr\." + "io"))
    + "|" + "|".join((r"\bdocker\." + "io", r"\bquay\." + "io", r"\bgcr\." + "io")),
    re.IGNORECASE,
)  # fmt: skip
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:home/\w|root/|Users/|work/|tmp/nxt|opt/py)")
MAIL = re.compile(r"[A-Za-z0-9._%+-]+@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})\b")
STORE_ADDRESSES = re.compile(r"\w+://\S+")
EXAMPLE_DOMAINS = re.compile(r"(?:^|\.)(?:example|internal|example\.(?:com|net|org))$", re.IGNORECASE)
# A role's mailbox that the specification names, and nonsense that validation is tested with.
KNOWN_MAIL = {"info@nxtgrid.co", "a@b.co", "b@c.de"}


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in TEXTS.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_files_are_rooms_not_halls() -> None:
    sources = {name: text for name, text in TEXTS.items() if name.startswith(("src/", "alembic/", "tools/"))}
    assert len(sources) > 100
    assert {name: n for name, text in sources.items() if (n := text.count("\n")) > LONGEST_FILE} == {}


def test_no_path_of_a_machine() -> None:
    assert lines_with(MACHINE_PATHS) == []


def test_no_address_of_a_package_registry() -> None:
    assert lines_with(REGISTRIES) == []


def test_no_address_of_a_person() -> None:
    found = {match.group() for text in TEXTS.values() for match in MAIL.finditer(STORE_ADDRESSES.sub("", text))}
    people = {address for address in found if not EXAMPLE_DOMAINS.search(address.partition("@")[2])}
    assert people - KNOWN_MAIL == set()


def test_nothing_is_left_for_later() -> None:
    # A word in quotes is data: a step of provisioning may be in that state.
    later = re.compile(r"(?<!['\"])\b(?:TO" + r"DO|FIX" + r"ME)\b")
    assert lines_with(later) == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATHS, "see /ho" + "me/ada/nxt"),
        (MACHINE_PATHS, "cd /wo" + "rk/here"),
        (REGISTRIES, "https://pypi" + ".org/simple"),
        (MAIL, "ada.person" + "@somewhere.net"),
    ],
)
def test_these_patterns_find_what_they_look_for(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert TEXTS["LICENSE"].startswith("Mozilla Public License Version 2.0")
    assert 'license = "MPL-2.0"' in TEXTS["pyproject.toml"]


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "mkdocs.yml", "noxfile.py", ".ci/run"]
)
def test_what_a_colleague_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).read_text().strip()


def test_the_changelog_knows_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', TEXTS["pyproject.toml"], re.MULTILINE)
    assert version is not None
    assert re.search(rf"^## \[(?:Unreleased|{re.escape(version[1])})\]", TEXTS["CHANGELOG.md"], re.MULTILINE)
