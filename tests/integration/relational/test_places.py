"""Places are GeoJSON, with PostGIS and without."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import create_engine, insert, select
from sqlalchemy.engine import Engine, make_url
from tests.support.databases import Unobtainable, fresh_database, server_from_environment
from tests.support.ledger import connect

from nxt_adapters.supabase.tables import pd_sites, poles
from nxt_entrypoints.database.comparison import check

POINT = {"type": "Point", "coordinates": [4.5612, 7.1234]}
OUTLINE = {"type": "Polygon", "coordinates": [[[4.5, 7.1], [4.6, 7.1], [4.6, 7.2], [4.5, 7.1]]]}
GRID = """
    with o as (insert into organizations (name) values ('Oke Agbede') returning id)
    insert into grids (name, organization_id) select 'Oke Agbede', id from o
"""


@pytest.fixture
def engine(any_relational_url: str) -> Iterator[Engine]:
    engine = create_engine(make_url(any_relational_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql(GRID)
    yield engine
    engine.dispose()


@pytest.fixture
def postgis_url() -> Iterator[str]:
    """A database of the server under test, which needs PostGIS [R57]."""
    try:
        server = server_from_environment("NXT_TEST_POSTGRES_URL")
    except Unobtainable as reason:
        pytest.skip(str(reason))
    with fresh_database(server, "relational") as url, psycopg.connect(url) as session:
        if session.execute("select from pg_extension where extname = 'postgis'").fetchone() is None:
            pytest.skip("PostGIS is not installed")
        yield url


def test_a_place_comes_back_as_it_was_written(engine: Engine) -> None:
    """[REL-19] [R45] The same object, whatever the column is."""
    with engine.begin() as connection:
        connection.execute(insert(poles).values(external_reference="000123", grid_id=1, location_geom=POINT))
        connection.execute(insert(pd_sites).values(name="Site", location_geom=None, outline_geom=OUTLINE))
        assert connection.scalar(select(poles.c.location_geom)) == POINT
        assert connection.execute(select(pd_sites.c.location_geom, pd_sites.c.outline_geom)).one() == (None, OUTLINE)


def test_the_table_gateway_sees_an_object(any_relational_url: str) -> None:
    """[REL-19] [REL-118] A row is inserted from JSON and rendered as JSON, as the gateway does both."""
    with connect(any_relational_url, role=None) as session:
        session.execute(GRID)
        body = json.dumps([{"external_reference": "000123", "grid_id": 1, "location_geom": POINT}])
        columns = "external_reference, grid_id, location_geom"
        session.execute(
            f"insert into poles ({columns}) select {columns} from json_populate_recordset(null::poles, %s)", [body]
        )
        row = session.execute("select row_to_json(p) -> 'location_geom' from poles p").fetchone()
        # PostGIS adds the name of the reference system.
        assert row is not None
        assert {**row[0], "crs": None} == {**POINT, "crs": None}  # type: ignore[dict-item]  # an object of JSON


@pytest.mark.parametrize("bad", [{"type": "Polygon", "coordinates": []}, {"coordinates": [1, 2]}, {}, OUTLINE])
def test_what_is_no_point_is_refused(any_relational_url: str, bad: object) -> None:
    """[REL-19] A column of points takes points."""
    with connect(any_relational_url, role=None) as session:
        session.execute(GRID)
        with pytest.raises(psycopg.DatabaseError):
            session.execute(
                "insert into poles (external_reference, grid_id, location_geom) values ('000123', 1, %s)",
                [json.dumps(bad)],
            )


def test_sql_readers_get_ewkb_where_postgis_is(postgis_url: str) -> None:
    """[REL-19] [REL-119] The column's text is hexadecimal EWKB; places that are searched have spatial indexes."""
    with connect(postgis_url, role=None) as session:
        session.execute(GRID)
        session.execute(
            "insert into poles (external_reference, grid_id, location_geom) values ('000123', 1, %s)",
            [json.dumps(POINT)],
        )
        row = session.execute("select location_geom::text from poles").fetchone()
        assert row == ("0101000020E6100000910F7A36AB3E12403C4ED1915C7E1C40",)
        query = "select tablename::text from pg_indexes where indexdef like '%USING gist%'"
        spatial = session.execute(query).fetchall()
        assert {name for (name,) in spatial} >= {"poles", "energy_cabins", "pd_sites", "pd_site_submissions"}


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("alter table poles alter location_geom type extensions.geometry", "poles.location_geom"),
        (
            "alter table pd_sites alter outline_geom type extensions.geometry(Point, 4326) using null",
            "pd_sites.outline_geom",
        ),
    ],
)
def test_another_kind_of_geometry_is_a_difference(postgis_url: str, statement: str, name: str) -> None:
    """[REL-174] Points are points, in the reference system of all maps."""
    with psycopg.connect(postgis_url, autocommit=True) as session:
        session.execute("drop view batch_commands")
        session.execute(statement)  # type: ignore[arg-type]  # statements of this test
    assert name in {difference.name for difference in check(postgis_url, "relational") if difference.kind == "type"}
