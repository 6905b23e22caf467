"""People in a running demo: made at the command line, signed in by dashboards' own library, gone when they sign out."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from tests.support.databases import Unobtainable
from tests.support.home import command
from tests.support.running import Product
from tests.support.supabase_js import supabase_js

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse"


@pytest.fixture
def nxt(product: Product) -> Any:
    """Run an operator's command on the demo."""

    def run(*arguments: str, stdin: str = "") -> Any:
        done = subprocess.run(
            [*command(), *arguments, "--json"],  # the only one that runs in this home
            input=stdin,
            env=product.home.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


async def test_an_operators_new_colleague_signs_in(product: Product, nxt: Any) -> None:
    """[R30] [R54] [API-178] [API-49] `nxt user create`, supabase-js against `nxt up`, refresh, sign-out, live check."""
    organization = product.told["demo"]["organization_id"]
    email = f"colleague-{product.told['pid']}@lakeside.example"
    made = nxt(
        *("user", "create", email, "--name", "New Colleague", "--organization", str(organization)),
        "--password-stdin",
        stdin=f"{PASSWORD}\n",
    )
    assert email in [person["email"] for person in nxt("user", "list")]
    key = nxt("apikey", "create", "--account-id", str(made["account_id"]), "--scope", "grids:read")
    api = product.url("api")
    assert (await product.get(f"{api}/grids", X_API_KEY=key["key"])).status == 200
    nxt("apikey", "revoke", "--id", str(key["id"]))

    url = product.told["urls"]["supabase"]
    anon = (await product.get(f"{url}/keys")).body["anon_key"]
    try:
        async with supabase_js() as js:
            await js.open("desk", url, anon)
            credentials = {"email": email, "password": PASSWORD}
            await js.call("desk", "auth.signInWithPassword", credentials)
            token = (await js.call("desk", "auth.refreshSession"))["session"]["access_token"]
            grids = await product.get(f"{api}/grids", Authorization=f"Bearer {token}")
            assert [grid["id"] for grid in grids.body["items"]] == product.told["demo"]["grid_ids"]
            await js.call("desk", "auth.signOut")
            gone = await product.post("/user-admin/create-agent", {}, Authorization=f"Bearer {token}")
            assert gone.status == 401
            nxt("user", "lock", email)
            assert await js.refusal("desk", "auth.signInWithPassword", credentials) == (400, "user_banned")
    except Unobtainable as reason:
        pytest.skip(str(reason))
