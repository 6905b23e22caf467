"""All simulators as a process of their own: ready line, signals, what a kill leaves behind."""

import asyncio
import json
import os
import signal
import sys

import aiohttp
import grpc
import pytest
from chirpstack_api import api

from nxt_entrypoints.simulators.chirpstack.simulator import ChirpStackConfig
from nxt_entrypoints.simulators.fleet import InvalidFleetError
from nxt_entrypoints.simulators.flutterwave.simulator import FlutterwaveConfig
from nxt_entrypoints.simulators.flutterwave.webhook import Merchant
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.sms.simulator import SmsConfig
from nxt_entrypoints.simulators.supabase.simulator import SupabaseConfig
from nxt_entrypoints.simulators.victron.simulator import VictronConfig

EUI = "0000047003333771"


@pytest.fixture
def config(fleet, tmp_path):
    fleet.save(tmp_path / "fleet.json")
    return SimulatorsConfig(
        fleet_path=str(tmp_path / "fleet.json"),
        data_dir=str(tmp_path / "data"),
        speed=40.0,
        seed=3,
        chirpstack=ChirpStackConfig(api_token="t", report_every_s=0),
        flutterwave=FlutterwaveConfig(merchants=[Merchant(secret_key="s")]),
        victron=VictronConfig(broker_url="mqtt://127.0.0.1:9"),
        sms=SmsConfig(api_key="k"),
        supabase=SupabaseConfig(jwt_secret="x" * 32, anon_key="a"),
    )


class Process:
    """``python -m nxt_entrypoints.simulators``, started and waited for."""

    def __init__(self, config, path):
        config.save(path)
        self._path = path

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "nxt_entrypoints.simulators",
            "--config",
            str(self._path),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            line = await self.process.stdout.readline()
        self.ready = json.loads(line)
        return self

    async def end(self, number):
        self.process.send_signal(number)
        async with asyncio.timeout(10):
            return await self.process.wait()

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            await self.end(signal.SIGKILL)


def test_configuration_survives_its_file(config, tmp_path):
    """[R37] Mode 0600, since it holds secrets; unknown members are refused."""
    path = tmp_path / "simulators.json"
    config.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SimulatorsConfig.load(path) == config
    document = json.loads(path.read_text())
    document["chirpstack"]["api_tokn"] = "x"
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidFleetError, match=r"api_tokn.*chirpstack"):
        SimulatorsConfig.load(path)


async def test_all_addresses_are_loopback_and_answer(config, http):
    """[R7] [R33] Every simulator has the shared control side, on 127.0.0.1 only."""
    async with Simulators(config) as sims:
        assert set(sims.urls) == {
            "chirpstack",
            "chirpstack_grpc",
            "flutterwave",
            "victron",
            "sms",
            "supabase",
        }
        for name, url in sims.urls.items():
            assert url.removeprefix("http://").startswith("127.0.0.1:")
            if name == "chirpstack_grpc":
                continue
            for path in ("/control", "/log", "/healthz"):
                async with http.get(url + path) as answer:
                    assert answer.status == 200, (name, path)
            async with http.put(url + "/control", json={"downn": 1}) as answer:
                assert answer.status == 400


async def test_a_port_that_is_taken_fails_the_start_and_leaves_nothing(config, http):
    """A half-started set of simulators is stopped again."""
    async with Simulators(config) as sims:
        taken = int(sims.urls["sms"].rsplit(":", 1)[1])
        second = Simulators(
            SimulatorsConfig(
                flutterwave=FlutterwaveConfig(merchants=[Merchant(secret_key="s")]),
                sms=SmsConfig(api_key="k", port=taken),
            )
        )
        with pytest.raises(OSError, match="address"):
            await second.start()
        third = Simulators(SimulatorsConfig(chirpstack=ChirpStackConfig(api_token="t", grpc_port=taken)))
        with pytest.raises(RuntimeError, match=str(taken)):
            await third.start()
        for failed in (second.flutterwave, third.chirpstack):
            with pytest.raises(aiohttp.ClientConnectionError):
                await http.get(failed.http.url + "/healthz")


async def test_process_is_ready_stops_on_sigterm_and_remembers(config, http, tmp_path, make_token):
    """[R37] One ready line; SIGTERM is a clean end; SIGKILL loses no credited token."""
    token = make_token("12.5")
    body = bytes.fromhex("20a1") + bytes.fromhex(token)[::-1]
    frame = bytes.fromhex("6871373303700468") + bytes([0, len(body)]) + bytes((b + 0x33) % 256 for b in body)
    frame += bytes([sum(frame) % 256, 0x16])
    async with Process(config, tmp_path / "c.json") as first:
        assert first.ready["pid"] == first.process.pid
        address = f"{first.ready['urls']['chirpstack']}/meters/47003333771"
        async with grpc.aio.insecure_channel(first.ready["urls"]["chirpstack_grpc"]) as channel:
            item = api.DeviceQueueItem(dev_eui=EUI, f_port=1, confirmed=True, data=frame)
            await api.DeviceServiceStub(channel).Enqueue(
                api.EnqueueDeviceQueueItemRequest(queue_item=item), metadata=(("authorization", "Bearer t"),)
            )
        async with asyncio.timeout(5):
            while (await (await http.get(address)).json())["tokens_accepted"] == 0:  # noqa: ASYNC110 - a socket
                await asyncio.sleep(0.01)
        await first.end(signal.SIGKILL)
    async with Process(config, tmp_path / "c.json") as second:
        address = f"{second.ready['urls']['chirpstack']}/meters/47003333771"
        shown = await (await http.get(address)).json()
        assert (shown["credited_kwh_total"], shown["tokens_accepted"]) == (12.5, 1)
        assert await second.end(signal.SIGTERM) == 0
        assert b"Traceback" not in await second.process.stderr.read()


async def test_a_wrong_configuration_is_one_line_and_78(tmp_path):
    """[R54] The exit status for configuration mistakes."""
    path = tmp_path / "c.json"
    path.write_text('{"speed": 1, "colour": "red"}')
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "nxt_entrypoints.simulators",
        "--config",
        str(path),
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    _, stderr = await process.communicate()
    assert process.returncode == 78
    assert stderr.decode().count("\n") == 1
    assert "colour" in stderr.decode()
