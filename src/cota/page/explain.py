"""Why a board failed, in words: the table that the page's script looks an error's code up in.

The words are those of `cota status` and of the manual: the device library's own codes and sentences, and the advice beside them.
"""

import functools

from cota.explain import error_codes, explain

# No error of the library but a verdict of the guard, which it reports in the same place.
_UNDONE, _UNDONE_SAYS = "undone", "the release ran, failed its trial, and was undone"


@functools.cache
def table() -> dict[str, dict[str, str]]:
    """Return code -> its sentence (`says`) and what to do about it (`todo`, with code in backquotes).

    Raises:
        CotaError: This installation lacks the device tree.
    """
    says = {code: sentence for code, (_, sentence) in error_codes().items()} | {_UNDONE: _UNDONE_SAYS}
    found = {code: (sentence, explain(code)) for code, sentence in says.items()}
    return {code: {"says": sentence, "todo": told.advice if told else ""} for code, (sentence, told) in found.items()}
