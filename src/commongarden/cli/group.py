"""The group that all commands belong to: what is common to them, and how mistakes are told."""

from __future__ import annotations

from typing import Any

import click

from commongarden.errors import CommonGardenError


class Commands(click.Group):
    """A group that prints the user's mistakes without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CommonGardenError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("interrupted; what was finished is kept", err=True)
            ctx.exit(130)


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"commongarden {version('commongarden')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """Compare networks on your photos: one soil for all, several seeds, verdicts with their uncertainty.

    \b
    commongarden run demo                       on built-in data, a few minutes
    commongarden run --data photos/             the small architectures, on your own
    commongarden run study.toml                 a study you wrote
    commongarden run flowers --data flowers/    the study this project began with
    """
