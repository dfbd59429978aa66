import typer


def install(app: typer.Typer) -> None:
    pass
