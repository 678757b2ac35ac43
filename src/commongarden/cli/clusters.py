"""Commands for the machines of a Ray cluster: cluster token, head, join, status."""

from __future__ import annotations

import time
from pathlib import Path

import click

from commongarden.cli.group import main, option
from commongarden.cli.options import as_json, chain, print_json
from commongarden.i18n.language import _

TOKEN = "~/.ray/auth_token"
_path = click.Path(dir_okay=False, path_type=Path)


@main.group()
def cluster() -> None:
    """Start and join a Ray cluster, on which run --on ray makes the runs of a study.

    \b
    commongarden cluster token                         on one machine; copy the file to all others
    commongarden cluster head --address 10.0.0.1       on the first machine
    commongarden cluster join 10.0.0.1:6379            on each other machine
    commongarden run study.toml --on ray               on the first machine
    """


token_path = option(
    "--token-path", type=_path, default=TOKEN, show_default=True, help="File with the token of the cluster."
)
room_options = chain(
    option("--cpus", type=click.IntRange(min=0), help="CPUs of this machine that runs may use [all]."),
    option("--gpus", type=click.IntRange(min=0), help="GPUs of this machine that runs may use [all]."),
)


@cluster.command()
@click.argument("file", required=False, type=_path)
def token(file: Path | None) -> None:
    """Write a new token for a cluster to FILE.

    FILE is ~/.ray/auth_token if it is not given. Copy it to every machine of the cluster, readable by you alone.
    """
    from commongarden.cluster import node

    path = (file or Path(TOKEN)).expanduser()
    node.make_token(path)
    click.echo(str(path))


@cluster.command()
@option("--address", help="Address of this machine at which others reach it, HOST or HOST:PORT [found, port 6379].")
@token_path
@room_options
def head(address: str | None, token_path: Path, cpus: int | None, gpus: int | None) -> None:
    """Start the head of a Ray cluster on this machine.

    It goes on after this command; `ray stop` ends it. A token is required; usage statistics, the dashboard and the
    ports of jobs and clients are off.
    """
    from commongarden.cluster import connection, node

    connection.check_installed()
    address = node.own_address(address or node.usual_host())
    since = time.time()
    node.start(node.Node(address, token_path, is_head=True, cpus=cpus, gpus=gpus))
    _report(address, since)
    click.echo(_("Join other machines: commongarden cluster join {address}").format(address=address))


@cluster.command()
@click.argument("address")
@token_path
@room_options
def join(address: str, token_path: Path, cpus: int | None, gpus: int | None) -> None:
    """Let this machine join the Ray cluster whose head is at ADDRESS (HOST:PORT).

    It goes on after this command; `ray stop` ends it.
    """
    from commongarden.cluster import node

    since = time.time()
    node.start(node.Node(address, token_path, cpus=cpus, gpus=gpus))
    _report(address, since)


def _report(address: str, since: float) -> None:
    """That it runs, and whether more than one address of this machine listens."""
    from commongarden.cluster import node

    click.echo(_("This machine is in the cluster {address}.").format(address=address))
    if ports := node.open_to_all(since):
        text = _(
            "warning: Ray listens on all addresses of this machine (ports {ports}). The token keeps others out, but "
            "nothing is encrypted: let a firewall admit the machines of the cluster only"
        )
        click.echo(text.format(ports=", ".join(map(str, ports))), err=True)


@cluster.command()
@click.argument("address", required=False, default="")
@token_path
@as_json
def status(address: str, token_path: Path, as_json: bool) -> None:
    """Show the machines of the cluster that this machine has joined.

    ADDRESS is HOST:PORT of the head, if this machine is in several clusters.
    """
    from commongarden.cluster import connection, machines
    from commongarden.cluster.where_file import RaySettings

    given = str(token_path) if token_path.expanduser().is_file() else ""
    connection.connect(RaySettings(address, given), lambda text: click.echo(text, err=True))
    rows = machines.listed()
    if as_json:
        print_json(rows)
        return
    for row in rows:
        text = _("{host}: {cpus:g} of {all_cpus:g} CPUs and {gpus:g} of {all_gpus:g} GPUs free, {memory:.1f} GiB")
        click.echo(text.format(**row) if row["alive"] else _("{host}: lost").format(host=row["host"]))
