"""The command that serves the REST API: serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import EngineOption, ModelOption, app, example

KEYS_FILE = "api-keys.txt"
_DATA = Path("data") / "api"


@app.command(epilog=example("serve --port 8000"))
def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; another than this machine's needs keys.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = 8000,
    model: ModelOption = "dermascan",
    engine: EngineOption = "auto",
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Where keys and batches lie.")] = _DATA,
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=1, help="Remove batches that many days after they are done.")
    ] = 7,
    max_waiting: Annotated[int, typer.Option("--max-waiting", min=0, help="How many may wait for the model.")] = 8,
    per_minute: Annotated[int, typer.Option("--per-minute", min=1, help="Requests a minute of one key.")] = 60,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="Make an API key, show it once, and stop.")
    ] = None,
) -> None:
    """Serve the REST API until stopped."""
    from ..api.keys import make_key, read_keys

    if new_key is not None:
        _say_new_key(new_key, make_key(new_key, data / KEYS_FILE))
        return
    from ..api import serving
    from ..api.application import build_application
    from ..api.limits import Limits
    from ..api.logs import start_log
    from ..services import models

    serving.check_own_engine()
    keys = read_keys(data / KEYS_FILE)
    serving.check_address(host, keys)
    models.load_model_manifest(model)  # what does not ship is told now, and not by the first request
    limits = Limits(requests_per_minute=per_minute)
    with serving.open_port(host, port) as listener:
        built = build_application(
            load=lambda: models.load_predictor(model, engine),
            keys=keys,
            log=start_log(),
            folder=data,
            limits=limits,
            max_waiting=max_waiting,
            keep_days=keep_days,
        )
        serving.serve(built, listener, limits, on_open=lambda address: _say_open(address, [key.name for key in keys]))


def _say_new_key(name: str, key: str) -> None:
    typer.echo(key)
    typer.echo(
        f"This is the key of '{name}'. It is shown only now; its hash alone was stored. A server that runs already "
        "knows it once it is started again.",
        err=True,
    )


def _say_open(address: str, names: list[str]) -> None:
    typer.echo(f"Serving at {address} (what there is: {address}/openapi.json). Stop with Ctrl+C.", err=True)
    if names:
        typer.echo(f"API keys: {', '.join(names)}.", err=True)
    else:
        typer.echo("There are no API keys, so only this machine may ask. Make one with: serve --new-key NAME", err=True)
