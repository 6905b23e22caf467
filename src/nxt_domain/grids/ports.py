"""What others need to know of grids."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from nxt_domain.grids.model import Gateway, GridTwin


class GridTwins(Protocol):
    """Reads grids and gateways inside the caller's transaction [R26]."""

    async def twins(self, grid_ids: Collection[int]) -> Mapping[int, GridTwin]:
        """Load the twins of live grids; an id that is unknown or deleted is left out."""

    async def gateways(self, external_references: Collection[str]) -> Mapping[str, Gateway]:
        """Find gateways by their reference at the network server, compared without case [MET-44].

        Keys are the references in lower case.
        """
