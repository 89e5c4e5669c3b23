"""A chain of checks: each link is right, wrong, or not checked because what it needs is not known."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from cota.errors import CotaError

State = Literal["ok", "wrong", "not checked"]


@dataclass(frozen=True)
class Step:
    """What came out of one check.

    Attributes:
        name: What was looked at.
        state: What came out.
        text: One sentence.
        hint: What to do; "" where nothing is to be done.
        notes: What is worth knowing besides.
    """

    name: str
    state: State
    text: str
    hint: str = ""
    notes: tuple[str, ...] = ()


class WrongError(Exception):
    """A link is broken: what is wrong, and how to mend it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


class UncheckedError(Exception):
    """A link cannot be looked at: why, and how it could be."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


@dataclass
class Said:
    """What a check that found nothing wrong says."""

    text: str
    notes: list[str] = field(default_factory=list)


Check = tuple[str, Callable[[], Said]]


def walk(checks: Iterable[Check], secrets: Callable[[], Iterable[str]]) -> list[Step]:
    """Do all checks; a broken link does not keep the others from being looked at.

    Args:
        checks: Names and what to call.
        secrets: Gives what must stand in no step.
    """
    steps = []
    for name, check in checks:
        try:
            said = check()
            step = Step(name, "ok", said.text, "", tuple(said.notes))
        except WrongError as wrong:
            step = Step(name, "wrong", wrong.text, wrong.hint)
        except UncheckedError as unchecked:
            step = Step(name, "not checked", unchecked.text, unchecked.hint)
        except CotaError as error:
            step = Step(name, "wrong", error.message, error.hint or "")
        steps.append(step)
    hidden = [secret for secret in secrets() if secret]
    return [_without(step, hidden) for step in steps]


def _without(step: Step, secrets: list[str]) -> Step:
    def clean(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    return Step(step.name, step.state, clean(step.text), clean(step.hint), tuple(map(clean, step.notes)))
