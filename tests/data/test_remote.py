"""Photos at an address: the same data as here, connections that fail, a budget, and an object store."""

import contextlib
import importlib
import os
import random
import shutil
import socket
import sys

import pytest

from commongarden.data import cache, folder, image, remote
from commongarden.data.stored import file_of
from commongarden.errors import DataError, RemoteError
from cut_connections import CutConnections
from shard_files import parquet, png, tar
from web_folder import WebFolder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMMONGARDEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "FIRST_PAUSE", 0.01)


def small(root, n=12):
    """A folder of two classes."""
    for i in range(n):
        path = root / ("rose", "tulip of 2 %"[:8])[i % 2] / f"photo {i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(i))
    return root


@pytest.fixture
def served(tmp_path):
    pytest.importorskip("aiohttp")
    small(tmp_path / "web" / "photos")
    with WebFolder(tmp_path / "web") as server:
        yield server


def test_a_folder_on_a_web_server_is_the_same_data(served, tmp_path):
    here = folder.scan(str(tmp_path / "web" / "photos"))
    there = folder.scan(f"{served.address}/photos/")
    assert there.root == f"{served.address}/photos"
    assert (there.hash, there.photos) == (here.hash, here.photos)
    asked = dict(served.asked)
    pixels = [cache.images(found, 8, 8, tmp_path / found.root[:4]) for found in (here, there)]
    assert pixels[0].tobytes() == pixels[1].tobytes()
    assert image.jpeg(there.root, there.photos[0].path, 8) == image.jpeg(here.root, here.photos[0].path, 8)
    assert dict(served.asked) == asked  # each photo was downloaded once


def test_folders_round_the_classes_and_parts_are_read_as_here(served, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(tmp_path / "web" / "photos", tmp_path / "web" / "set" / "flowers" / part)
        small(tmp_path / "web" / "set" / "flowers" / part, 12 if part == "train" else 4)
    here, there = (folder.scan(f"{place}/set") for place in (tmp_path / "web", served.address))
    assert there.hash == here.hash
    assert {photo.part for photo in there.photos} == {"train", "test"}


@pytest.mark.parametrize("fault", [500, "cut"])
def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(fault, served):
    served.faults = {"/photos/rose/": [fault] * 4}
    with pytest.raises(RemoteError, match="cannot be read after 4 attempts"):
        folder.scan(f"{served.address}/photos", keep_going=True)
    assert len(folder.scan(f"{served.address}/photos").photos) == 12


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_shards_at_an_address(kind, served, tmp_path):
    rows = [(path.parent.name, path.name, path.read_bytes()) for path in (tmp_path / "web").rglob("*.png")]
    random.Random(0).shuffle(rows)
    if kind == "tar":
        tar(tmp_path / "web" / "some" / "0.tar", [(f"{a}/{b}", data) for a, b, data in rows])
    else:
        parquet(tmp_path / "web" / "some" / "0.parquet", rows)
    here = folder.scan(str(tmp_path / "web" / "photos"))
    for source in (f"{served.address}/some", f"{served.address}/some/0.{kind}"):
        there = folder.scan(source)
        assert there.hash == here.hash
        assert there.photos[0].stored.startswith(f"0.{kind}@")
    assert served.asked[f"/some/0.{kind}"] <= 2


def test_a_connection_that_fails_is_tried_again(served):
    served.faults = {"/photos/rose/photo%200.png": [500, "cut", 503], "/photos/tulip%20of/photo%201.png": ["cut"]}
    found = folder.scan(f"{served.address}/photos")
    assert len(found.photos) == 12
    assert found.left_out == ()
    assert served.asked["/photos/rose/photo%200.png"] == 4


def test_a_server_that_keeps_failing_ends_the_command_and_loses_no_photo(served):
    served.faults = {"/photos/rose/photo%200.png": [500] * 4}
    with pytest.raises(RemoteError, match=r"photo 0\.png: cannot be read after 4 attempts: .*Repeat the command"):
        folder.scan(f"{served.address}/photos", keep_going=True)
    assert len(folder.scan(f"{served.address}/photos").photos) == 12


def test_a_photo_that_is_gone_is_left_out_with_its_reason(served):
    served.faults = {"/photos/rose/photo%200.png": [404] * 9}
    found = folder.scan(f"{served.address}/photos", keep_going=True)
    assert {out.path: out.reason for out in found.left_out} == {
        "rose/photo 0.png": "cannot be read: no such file at the address"
    }


def test_downloads_keep_to_their_budget(served, monkeypatch, tmp_path):
    here = folder.scan(str(tmp_path / "web" / "photos"))
    size = max(path.stat().st_size for path in (tmp_path / "web").rglob("*.png"))
    monkeypatch.setenv(remote.BUDGET, f"{4 * size}B")
    there = folder.scan(f"{served.address}/photos")
    assert there.hash == here.hash
    kept = list((tmp_path / "cache" / "remote").glob("??/*"))
    assert 1 <= len(kept) <= 4
    last = there.photos[0]
    image.read_bytes(file_of(there.root, last.path))
    before = sum(served.asked.values())
    image.read_bytes(file_of(there.root, last.path))
    assert sum(served.asked.values()) == before
    monkeypatch.setenv(remote.BUDGET, "much")
    shutil.rmtree(tmp_path / "cache" / "remote")
    with pytest.raises(RemoteError, match="COMMONGARDEN_DOWNLOAD_BUDGET: found 'much'"):
        folder.scan(f"{served.address}/photos")
    assert cache.clear(tmp_path / "cache") > 0


def test_addresses_that_are_refused(served, tmp_path, monkeypatch):
    with pytest.raises(RemoteError, match="nothing: no such file at the address"):
        folder.scan(f"{served.address}/nothing")
    with pytest.raises(RemoteError, match=r"nothing/0\.tar: no such file at the address"):
        folder.scan(f"{served.address}/nothing/0.tar")
    (tmp_path / "web" / "text").mkdir()
    (tmp_path / "web" / "text" / "a.txt").write_text("a")
    with pytest.raises(DataError, match=r"found 1 files and no photos; accepted: class folders, \.tar or \.parquet"):
        folder.scan(f"{served.address}/text")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(RemoteError, match=r"a package is missing: .*accepted: pip install 'commongarden\[remote\]'"):
        folder.scan("s3://bucket/photos")


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """An object store on this machine with the photos in it: (client, address)."""
    server = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    _host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket="garden")
    root = small(tmp_path / "photos")
    for path in root.rglob("*.png"):
        client.upload_file(str(path), "garden", f"photos/{path.relative_to(root).as_posix()}")
    yield client, "s3://garden/photos"
    client.close()
    running.stop()


@pytest.mark.filterwarnings("default")
def test_an_object_store(bucket, tmp_path):
    client, address = bucket
    here, there = folder.scan(str(tmp_path / "photos")), folder.scan(address)
    assert there.hash == here.hash
    changed = there.photos[0].path
    client.put_object(Bucket="garden", Key=f"photos/{changed}", Body=png(99))
    again = folder.scan(address)
    assert [one.path for one, two in zip(again.photos, there.photos, strict=True) if one != two] == [changed]


@pytest.mark.filterwarnings("default")
def test_an_object_store_whose_connections_are_cut(bucket, tmp_path, monkeypatch):
    _client, address = bucket
    host, _, port = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://").partition(":")
    with contextlib.closing(CutConnections(host, int(port))) as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL", relay.address)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        remote._filesystem.cache_clear()
        importlib.import_module("s3fs").S3FileSystem.clear_instance_cache()
        here = folder.scan(str(tmp_path / "photos"))
        relay.n = 7
        there = folder.scan(address)
        assert (there.hash, relay.n_cut) == (here.hash, 7)
        relay.n = 10_000
        shutil.rmtree(tmp_path / "cache")
        with pytest.raises(RemoteError, match="cannot be read after 4 attempts"):
            folder.scan(address, keep_going=True)
        relay.n = 0
        assert folder.scan(address).hash == here.hash


@pytest.mark.soak
@pytest.mark.filterwarnings("default")
def test_google_cloud_storage(tmp_path, monkeypatch):
    """Against an emulator: pip install gcp-storage-emulator."""
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # asks by gRPC, which emulators have not
    gcsfs = pytest.importorskip("gcsfs")
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="garden")
    server.start()
    try:
        system, root = gcsfs.GCSFileSystem(token="anon"), small(tmp_path / "photos")
        for path in root.rglob("*.png"):
            system.pipe(f"garden/photos/{path.relative_to(root).as_posix()}", path.read_bytes())
        assert folder.scan("gs://garden/photos").hash == folder.scan(str(root)).hash
    finally:
        server.stop()
