"""The list for funders, and shares of reachable hardware: pure rules."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.grids.connectivity import HardwareFacts, connectivity, share
from nxt_domain.grids.pbg_connections import (
    HEADER,
    PbgConnection,
    cells,
    csv_line,
    file_name,
    meter_status,
    safe_text,
)

AT = datetime(2026, 3, 10, 23, 59, tzinfo=UTC)
METER = PbgConnection(
    meter_id=1,
    meter_reference="00470017",
    meter_type="HPS",
    customer_name="Mill, Umuoke",
    gender="FEMALE",
    is_commercial=True,
    is_residential=True,
    is_public=False,
    generator_owned="SMALL",
    phone="2348031234567",
    latitude=Decimal("7.4120"),
    longitude=Decimal(-3),
    import_status="SUCCESSFUL",
    commissioned_at=AT,
    commissioning_status="SUCCESSFUL",
    open_issue=None,
)


def test_a_line_of_the_list() -> None:
    """[API-94] The header of the specification, and what stands under it."""
    assert ",".join(HEADER) == (
        "External ID,Customer Name,Gender of Primary Account Holder,Customer Category,Customer Type,"
        "Location (Address),Location (State),Phone Number,Latitude,Longitude,Date Connected,"
        "Meter Type (EXTRA FIELD),Meter Status (EXTRA FIELD)"
    )
    assert csv_line(cells(METER, "Umu,oke")) == (
        "00470017,Mill Umuoke,Female,Commercial,Medium,Umuoke Community,,2348031234567,"
        "7.412,-3,2026-03-10T00:00:00,HPS,"
    )


@pytest.mark.parametrize(
    ("change", "column", "text"),
    [
        ({"gender": "MALE"}, 2, "Male"),
        ({"gender": None}, 2, "Undisclosed"),
        ({"is_commercial": False}, 3, "Residential"),
        ({"is_commercial": False, "is_residential": False, "is_public": True}, 3, "Public"),
        ({"is_commercial": False, "is_residential": False}, 3, "UNKNOWN"),
        ({"generator_owned": "LARGE"}, 4, "Large"),
        ({"generator_owned": None}, 4, "Small"),
        ({"phone": None}, 7, "+2349000000000"),
        ({"latitude": None}, 8, ""),
        ({"longitude": None}, 9, ""),
        ({"commissioned_at": None}, 10, ""),
        ({"meter_type": "FS"}, 11, "FS"),
        ({"customer_name": None}, 1, ""),
    ],
)
def test_columns(change: dict[str, object], column: int, text: str) -> None:
    """[API-94] [MET-202]"""
    line = csv_line(cells(attrs.evolve(METER, **change), "Umuoke"))  # type: ignore[arg-type]  # a table of changes
    assert line.split(",")[column] == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"import_status": None, "open_issue": "TAMPER"}, "No installation data available"),
        ({"import_status": "FAILED", "commissioning_status": None}, "Meter import: FAILED"),
        ({"commissioning_status": None, "open_issue": "TAMPER"}, "Meter commissioning: PENDING"),
        ({"commissioning_status": "PROCESSING", "open_issue": "TAMPER"}, "Meter commissioning: PROCESSING"),
        ({"open_issue": "NO_CREDIT"}, "Open issue: NO_CREDIT"),
        ({}, ""),
    ],
)
def test_the_first_thing_that_stands_in_the_way(change: dict[str, object], text: str) -> None:
    """[API-94]"""
    assert meter_status(attrs.evolve(METER, **change)) == text  # type: ignore[arg-type]  # a table of changes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("+CMD", "'+CMD"),
        ("+2348031234567", "+2348031234567"),
        ("-12.5", "-12.5"),
        ("a,b\nc", "ab c"),
        (",=1+1", "'=1+1"),
        ("\t=1+1", "'=1+1"),
    ],
)
def test_nothing_is_calculated(value: str, text: str) -> None:
    """[API-94] Formulas are disarmed; numbers and phones stay what they are."""
    assert safe_text(value) == text


@given(texts=st.lists(st.text(), min_size=1, max_size=5))
def test_any_text_stays_in_its_cell(texts: list[str]) -> None:
    """[API-94] Property: as many cells and lines as were written, and none that a spreadsheet would calculate."""
    line = csv_line(texts)
    assert len(line.split(",")) == len(texts)
    assert len(line.splitlines()) <= 1
    assert not [cell for cell in line.split(",") if cell[:1] in {"=", "@"}]


def test_the_name_of_the_file() -> None:
    """[API-94]"""
    assert file_name("Umu oké/1", AT, "csv") == "Umu_ok__1-pbg-connections-2026-03-10T23:59:00.000Z.csv"


@pytest.mark.parametrize(
    ("online", "total", "shares"), [(37, 48, ("0.77", "0.22")), (87, 131, ("0.66", "0.33")), (0, 0, ("0", "0"))]
)
def test_shares_are_truncated(online: int, total: int, shares: tuple[str, str]) -> None:
    """[API-93] [MET-201] The examples of the specification."""
    found = connectivity(HardwareFacts(meters=total, reachable_meters=online, online=["1"], offline=["2"]))
    assert (str(found.meters.online_pct), str(found.meters.offline_pct)) == shares
    assert (found.dcus.online, found.dcus.offline) == (["1"], ["2"])


@given(part=st.integers(0, 10**9), rest=st.integers(0, 10**9))
def test_a_share_is_never_too_much(part: int, rest: int) -> None:
    """[API-93] Property: truncated, so both together reach 1 at most, and miss it by less than 0.02."""
    whole = part + rest
    shares = share(part, whole) + share(rest, whole)
    assert shares <= 1
    assert not whole or shares > Decimal("0.98")
