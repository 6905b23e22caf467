"""``nxt sts``: the field tool, and tokens for test benches [STS-74, STS-75]."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.sts_vectors import VENDING_KEYS, KeyVector, keys, rows

from nxt_entrypoints.cli.sts import sts

Run = Callable[..., tuple[int, str, str]]
Lines = Callable[..., list[Any]]
KEY = "0123456789ABCDEF"
TOKEN = "58627975513348563046"
ORDER = {
    "decoder_key": KEY,
    "class": 0,
    "subclass": 0,
    "rnd": 3,
    "issued_at": "2024-03-15T10:30",
    "amount": 0.5,
}


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NXT_STS_KEY", KEY)


def _key_members(key: KeyVector) -> dict[str, object]:
    row = key.row
    if not key.is_derived:
        return {"ea": row["ea"], "decoder_key": row["decoder_key"]}
    members: dict[str, object] = {
        "ea": row["ea"],
        "dkga": row["dkga"],
        "vending_key": VENDING_KEYS[row["vending_key"]],
        "pan": row["pan"],
        "key_type": int(row["kt"]),
        "sgc": row["sgc"],
        "ti": row["ti"],
        "krn": int(row["krn"]),
    }
    return members if row["key_base"] == "-" else members | {"key_base_date": int(row["key_base"])}


def _order(row: Mapping[str, str]) -> dict[str, object]:
    token_class, subclass = row["type"].split(".")
    issued = row["issued"]
    when = {"tid": int(issued[1:])} if issued.startswith("#") else {"issued_at": issued}
    name = "amount" if token_class == "0" else "watts" if row["type"] in {"2.0", "2.6"} else "raw"
    value = float(row["value"]) if name == "amount" else int(row["value"], 0)
    return {
        **_key_members(keys()[row["key"]]),
        "base_date": int(row["base"]),
        "class": int(token_class),
        "subclass": int(subclass),
        "rnd": int(row["rnd"]),
        **when,
        name: value,
    }


class TestBatch:
    def test_sts_79_all_tokens_with_a_minute(self, lines: Lines) -> None:
        """[STS-78, STS-52, STS-54] Keys derived on the way."""
        answers = lines("sts", "batch", given=[_order(row) for row in rows("timed")])
        assert answers == [{"token": row["token"]} for row in rows("timed")]

    def test_sts_81_all_tests(self, lines: Lines) -> None:
        orders = [
            {"class": 1, "subclass": int(row["subclass"]), "raw": f"0x{row['control']}"} for row in rows("class_1")
        ]
        assert lines("sts", "batch", given=orders) == [{"token": row["token"]} for row in rows("class_1")]

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"amount": "0.5"},
            {"amount": None, "raw": 5},
            {"amount": None, "raw": "0x0005"},
            {"issued_at": "2024-03-15T10:30:59Z"},
            {"issued_at": "2024-03-15T11:30+01:00"},
            {"issued_at": None, "tid": 5366070},
            {"ea": 7, "base_date": "14", "class": "0"},
            {"decoder_key": KEY.lower()},
        ],
        ids=str,
    )
    def test_the_same_order_in_other_words(self, lines: Lines, changes: dict[str, object]) -> None:
        assert lines("sts", "batch", given=[ORDER | changes]) == [{"token": TOKEN}]

    def test_without_a_nonce_one_is_drawn(self, lines: Lines) -> None:
        """[STS-2]"""
        answers = lines("sts", "batch", given=[ORDER | {"rnd": None}] * 100)
        assert 2 <= len({answer["token"] for answer in answers}) <= 16

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"decoder_key": None}, "TOKEN_DECODER_KEY_MISSING"),
            ({"decoder_key": " "}, "TOKEN_DECODER_KEY_MISSING"),
            ({"decoder_key": "12"}, "TOKEN_DECODER_KEY_INVALID"),
            ({"ea": "11"}, "TOKEN_DECODER_KEY_INVALID"),
            ({"ea": "09"}, "ALGORITHM_UNSUPPORTED"),
            ({"decoder_key": None, "dkga": "03"}, "ALGORITHM_UNSUPPORTED"),
            ({"amount": -1}, "TOKEN_AMOUNT_INVALID"),
            ({"amount": "NaN"}, "INVALID_MEMBER"),
            ({"amount": True}, "INVALID_MEMBER"),
            ({"amount": None}, "INVALID_MEMBER"),
            ({"amount": 1820162.5}, "TOKEN_AMOUNT_TOO_LARGE"),
            ({"raw": 65536}, "TOKEN_VALUE_INVALID"),
            ({"subclass": 4}, "TOKEN_KIND_UNSUPPORTED"),
            ({"class": 2, "subclass": 3}, "TOKEN_KIND_UNSUPPORTED"),
            ({"class": 3}, "TOKEN_KIND_UNSUPPORTED"),
            ({"class": 2, "watts": -1}, "TOKEN_POWER_LIMIT_INVALID"),
            ({"rnd": 16}, "TOKEN_NONCE_INVALID"),
            ({"rnd": "x"}, "INVALID_MEMBER"),
            ({"issued_at": "2024-03-15"}, "TOKEN_ISSUE_TIME_INVALID"),
            ({"issued_at": "yesterday noon"}, "TOKEN_ISSUE_TIME_INVALID"),
            ({"issued_at": "2013-12-31T23:59"}, "TOKEN_ISSUE_TIME_INVALID"),
            ({"issued_at": None, "tid": 1 << 24}, "TOKEN_ISSUE_TIME_INVALID"),
            ({"issued_at": None}, "INVALID_MEMBER"),
            ({"base_date": 2000}, "INVALID_MEMBER"),
            ({"class": None}, "INVALID_MEMBER"),
        ],
        ids=str,
    )
    def test_sts_6_refused_by_name(self, lines: Lines, changes: dict[str, object], code: str) -> None:
        """And the next line is read all the same."""
        bad, good = lines("sts", "batch", given=[ORDER | changes, ORDER])
        assert (bad["error"], set(bad)) == (code, {"error", "message"})
        assert good == {"token": TOKEN}

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"vending_key": "x"}, "VENDING_KEY_INVALID"),
            ({"vending_key": "AB" * 9}, "VENDING_KEY_INVALID"),
            ({"vending_key": None}, "INVALID_MEMBER"),
            ({"pan": "600727000000000008"}, "PAN_INVALID"),
            ({"sgc": "1234567"}, "KEY_PARAMETERS_INVALID"),
            ({"ti": 100}, "KEY_PARAMETERS_INVALID"),
            ({"krn": 0}, "KEY_PARAMETERS_INVALID"),
            ({"key_type": 4}, "KEY_PARAMETERS_INVALID"),
            ({"key_type": 3}, "UNCONFIRMED"),
        ],
        ids=str,
    )
    def test_sts_12_keys_that_are_not_derived(self, lines: Lines, changes: dict[str, object], code: str) -> None:
        order = {name: value for name, value in ORDER.items() if name != "decoder_key"} | _key_members(keys()["K03"])
        (answer,) = lines("sts", "batch", given=[order | changes])
        assert answer["error"] == code

    def test_lines_that_are_no_orders(self, lines: Lines) -> None:
        answers = lines("sts", "batch", given=b'{\n\n[1]\n{"class": 1e999999999}\n\xff\n' + json.dumps(ORDER).encode())
        assert [answer.get("error") for answer in answers] == [
            *["MALFORMED_JSON"] * 2,
            "NUMBER_TOO_LONG",
            "INVALID_TEXT",
            None,
        ]


class TestIssueAndDecode:
    ISSUE = ("sts", "issue", "--at", "2024-03-15T10:30", "--nonce", "3", "--kind")

    def test_example_a(self, tool: Run, key: None) -> None:
        status, out, err = tool(*self.ISSUE, "TOP_UP", "--kwh", "0.5")
        assert (status, err) == (0, "")
        assert out.splitlines() == ["5862 7975 5133 4856 3046", "the meter will add 0.5 kWh"]

    def test_example_b_as_json(self, tool: Run, key: None) -> None:
        status, out, _ = tool(*self.ISSUE, "SET_POWER_LIMIT", "--watts", "5000", "--json")
        facts = json.loads(out)
        assert (status, facts["token"], facts["power_limit_w"]) == (0, "28227747371740445170", 5000)
        assert (facts["issued_at"], facts["tid"], facts["crc"]) == ("2024-03-15T10:30Z", 5366070, "1E5B")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("CLEAR_CREDIT",), "electricity"),
            (("CLEAR_CREDIT", "--register", "65535"), "all"),
            (("CLEAR_TAMPER",), "tamper"),
            (("SET_UNBALANCE_LIMIT", "--watts", "256"), "256 W"),
            (("SET_POWER_LIMIT", "--watts", "0"), "no limit"),
            (("TOP_UP", "--kwh", "1638.5"), "1639.4 kWh"),
        ],
    )
    def test_sts_74_it_says_what_the_meter_will_do(
        self, tool: Run, key: None, arguments: tuple[str, ...], said: str
    ) -> None:
        """[STS-23]"""
        status, out, _ = tool(*self.ISSUE, *arguments)
        assert status == 0
        assert said in out.splitlines()[1]

    def test_sts_75_without_a_minute_it_warns(self, tool: Run, key: None) -> None:
        status, out, err = tool("sts", "issue", "--kind", "TOP_UP", "--kwh", "1")
        assert status == 0
        assert "warning" in err
        status, out, _ = tool("sts", "decode", out.splitlines()[0])
        assert status == 0

    @pytest.mark.parametrize(
        ("arguments", "status", "code"),
        [
            (("TOP_UP",), 2, "TOKEN_AMOUNT_INVALID"),
            (("TOP_UP", "--kwh", "0"), 2, "TOKEN_AMOUNT_INVALID"),
            (("TOP_UP", "--kwh", "much"), 2, "TOKEN_AMOUNT_INVALID"),
            (("TOP_UP", "--kwh", "1E9"), 2, "TOKEN_AMOUNT_TOO_LARGE"),
            (("SET_POWER_LIMIT",), 2, "TOKEN_POWER_LIMIT_INVALID"),
            (("TOP_UP", "--kwh", "1", "--nonce", "16"), 2, "TOKEN_NONCE_INVALID"),
            (("TOP_UP", "--kwh", "1", "--ea", "11"), 2, "TOKEN_DECODER_KEY_INVALID"),
            (("TOP_UP", "--kwh", "1", "--base-date", "1993", "--ken", "200"), 1, "TOKEN_KEY_EXPIRED"),
        ],
    )
    def test_sts_75_refusals(self, tool: Run, key: None, arguments: tuple[str, ...], status: int, code: str) -> None:
        """[STS-20] 1 refused, 2 bad input; one line each."""
        got, out, err = tool(*self.ISSUE, *arguments)
        assert (got, out) == (status, "")
        assert err.endswith(f"({code})\n")
        assert json.loads(tool(*self.ISSUE, *arguments, "--json")[1])["error"] == code

    @pytest.mark.parametrize("words", [[TOKEN], ["5862", "7975", "5133", "4856", "3046"], ["5862-7975-5133-4856-3046"]])
    def test_sts_55_tokens_as_people_write_them(self, tool: Run, key: None, words: list[str]) -> None:
        status, out, _ = tool("sts", "decode", *words, "--json")
        (facts,) = json.loads(out)["tokens"]
        assert (status, facts["energy_kwh"], facts["nonce"]) == (0, 0.5, 3)

    def test_sts_75_the_worst_decides_the_status(self, tool: Run, key: None) -> None:
        assert tool("sts", "decode", TOKEN, "0" * 20)[0] == 1
        assert tool("sts", "decode", "123")[0] == 2
        status, out, _ = tool("sts", "decode", TOKEN.replace("6", "7", 1), TOKEN, "--json")
        wrong, right = json.loads(out)["tokens"]
        assert (status, wrong["error"], right["type"]) == (1, "CRC", "0.0")

    def test_sts_55_tests_need_no_key(self, tool: Run) -> None:
        status, out, _ = tool("sts", "decode", "56493153725450313471")
        assert status == 0
        assert "all" in out

    def test_sts_75_no_key_is_bad_input(self, tool: Run) -> None:
        assert tool("sts", "decode", TOKEN)[0] == 2

    def test_sts_75_keys_come_from_a_file_first(
        self, tool: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("NXT_STS_KEY", "F" * 16)
        path = tmp_path / "meter.key"
        path.write_text(f"{KEY.lower()}\nremark\n")
        assert tool("sts", "decode", TOKEN, "--key-file", str(path))[0] == 0
        assert tool("sts", "decode", TOKEN)[0] == 1

    def test_sts_75_no_command_takes_a_key_as_an_argument(self) -> None:
        """What is an argument is in the shell's history, and in every list of processes."""
        for name in sts._lazy:
            command = sts.get_command(None, name)  # type: ignore[arg-type]  # not looked at
            assert command is not None
            given = {option for parameter in command.params for option in parameter.opts}
            assert not given & {"--key", "--decoder-key", "--vending-key", "--new-key"}


class TestKeys:
    ARGUMENTS = ("--drn", "00000000000", "--sgc", "123456", "--ti", "01", "--krn", "1", "--kt", "2")

    def test_sts_53_example(self, tool: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """[STS-75] The key only when asked for."""
        monkeypatch.setenv("NXT_STS_VENDING_KEY", VENDING_KEYS["V1"])
        status, out, _ = tool("sts", "key", "--dkga", "02", *self.ARGUMENTS)
        assert status == 0
        assert "E653341F9D5BF36F" not in out
        shown = tool("sts", "key", "--dkga", "02", *self.ARGUMENTS, "--show-secret", "--json")[1]
        assert json.loads(shown)["decoder_key"] == "E653341F9D5BF36F"
        assert json.loads(shown)["fingerprint"] in out

    def test_one_of_pan_and_drn(self, tool: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NXT_STS_VENDING_KEY", VENDING_KEYS["V1"])
        assert tool("sts", "key", "--dkga", "02", *self.ARGUMENTS, "--pan", "600727000000000009")[0] == 2
        assert tool("sts", "key", "--dkga", "02", *self.ARGUMENTS[2:])[0] == 2

    def test_unconfirmed_types_are_asked_for(self, tool: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """[STS-12]"""
        monkeypatch.setenv("NXT_STS_VENDING_KEY", VENDING_KEYS["V1"])
        common = ("sts", "key", "--dkga", "02", *self.ARGUMENTS[:-1], "3")
        status, _, err = tool(*common)
        assert status == 1
        assert "UNCONFIRMED" in err
        assert tool(*common, "--allow-unconfirmed")[0] == 0

    def test_example_d_change_and_read_back(self, tool: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """[STS-56]"""
        monkeypatch.setenv("NXT_STS_KEY", "E653341F9D5BF36F")
        monkeypatch.setenv("NXT_STS_NEW_KEY", "060B8643C59A27F1")
        change = ("sts", "change-key", "--sgc", "123456", "--ti", "02", "--krn", "1", "--old-ti", "01", "--json")
        status, out, _ = tool(*change)
        tokens = json.loads(out)["tokens"]
        assert (status, tokens) == (0, ["51638423060042734509", "15361891762113502242"])
        read = json.loads(tool("sts", "decode", *tokens, "--json")[1])["key_change"]
        assert (read["tariff_index"], read["key_expiry"], read["rolls_over"]) == ("02", 255, False)
        assert "new_key" not in read
        shown = tool("sts", "decode", *tokens, "--show-secret")[1]
        assert "060B8643C59A27F1" in shown
        status, _, err = tool("sts", "decode", tokens[0])
        assert (status, "not complete" in err) == (0, True)

    def test_sts_39_refused(self, tool: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NXT_STS_KEY", KEY)
        monkeypatch.setenv("NXT_STS_NEW_KEY", KEY)
        status, _, err = tool("sts", "change-key", "--sgc", "123456", "--ti", "02", "--krn", "1")
        assert status == 1
        assert "KEY_CHANGE_REFUSED" in err

    def test_sts_10_numbers(self, tool: Run) -> None:
        """[STS-11]"""
        status, out, _ = tool("sts", "number", "4700", "1891", "341", "--json")
        facts = json.loads(out)
        assert (status, facts["pan"], facts["manufacturer"]) == (0, "600727470018913412", "47")
        status, out, _ = tool("sts", "number", "12345678904")
        assert status == 1
        assert "should be 3" in out
        assert tool("sts", "number", "12")[0] == 2

    def test_sts_35_tests(self, tool: Run) -> None:
        assert tool("sts", "test", "1", "--long")[1].startswith("0115 2921 5090 3605 4672")
        status, out, _ = tool("sts", "test", "18", "--json")
        assert (status, json.loads(out)["tests"]) == (0, ["meter number"])
        assert tool("sts", "test", "99")[0] == 2
        assert tool("sts", "test", "1", "--manufacturer", "47")[0] == 1
