"""The role ceiling, for every pair of types."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.people_world import ADA

from nxt_domain.identity.model import MemberType
from nxt_domain.identity.ranks import (
    RANKING,
    require_admin_organization,
    require_assignable,
    require_not_above,
)
from nxt_domain.shared.errors import Forbidden

TYPES = st.sampled_from(MemberType)


def is_refused(check: object, *args: object) -> bool:
    try:
        check(*args)  # type: ignore[operator]  # one of the checks
    except Forbidden:
        return True
    return False


@given(mine=st.none() | TYPES, wanted=TYPES)
def test_nobody_gives_more_than_they_have(mine: MemberType | None, wanted: MemberType) -> None:
    """[API-66] Property: given exactly when both are ranked and the new type is not above the caller's."""
    caller = attrs.evolve(ADA, member_type=mine)
    may = mine in RANKING and wanted in RANKING and RANKING.index(wanted) >= RANKING.index(mine)
    assert is_refused(require_assignable, caller, wanted) is not may


@given(mine=st.none() | TYPES, theirs=st.none() | TYPES)
def test_nobody_removes_somebody_above_them(mine: MemberType | None, theirs: MemberType | None) -> None:
    """[API-68] Property: of two types at least one may remove the other, and equals may remove each other."""
    one, other = attrs.evolve(ADA, member_type=mine), attrs.evolve(ADA, member_type=theirs)
    refusals = [is_refused(require_not_above, one, theirs), is_refused(require_not_above, other, mine)]
    assert not all(refusals)
    assert mine is not theirs or not any(refusals)


@pytest.mark.parametrize("wanted", MemberType)
def test_superadmins_live_in_the_platforms_organization(wanted: MemberType) -> None:
    """[API-67]"""
    assert is_refused(require_admin_organization, wanted, 7, 2) is (wanted is MemberType.SUPERADMIN)
    assert not is_refused(require_admin_organization, wanted, 2, 2)
