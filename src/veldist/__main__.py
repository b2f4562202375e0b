"""``python -m veldist``: the same as the command ``veldist``."""

from veldist.cli.app import app

if __name__ == "__main__":
    app(prog_name="veldist")
