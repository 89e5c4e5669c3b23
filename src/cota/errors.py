"""The one error that a command turns into a sentence and an exit code."""


class CotaError(Exception):
    """Something that the user can mend: what was wrong, where, and what to do next.

    Args:
        message: One sentence that names the thing and what is wrong with it.
        hint: What to do next; None where the message says it.

    Attributes:
        exit_code: What a command that ends with it exits with: 2, wrong use or an environment that does not allow it.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class AnswerIsNoError(CotaError):
    """The command ran, and the answer is no: a release that is refused, a device that does not exist."""

    exit_code = 1
