"""The command line of a program whose settings are environment variables."""

import argparse
from typing import NoReturn


class OptionParser(argparse.ArgumentParser):
    """A parser that answers an unknown option with the way to set a setting."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(
            prog=f"python -m {program}",
            description=description,
            epilog="Its settings are environment variables: see docs/reference.md.",
        )

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and end the process with status 2."""
        super().error(f"{message}; settings are environment variables: PORT=8002 {self.prog}")
