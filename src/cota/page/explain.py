"""Why a board failed, in words: the table that the page's script looks an error's code up in.

The words are those of `cota status` and of the manual: the device library's own codes and sentences, and the advice beside them.
"""

import functools

from cota.explain import TRIAL, error_codes, explain


@functools.cache
def table() -> dict[str, dict[str, str]]:
    """Return code -> its sentence (`says`) and what to do about it (`todo`, with code in backquotes).

    Raises:
        CotaError: This installation lacks the device tree.
    """
    says = {code: sentence for code, (_, sentence) in error_codes().items()} | {code: sentence for code, (sentence, _) in TRIAL.items()}
    found = {code: (sentence, explain(code)) for code, sentence in says.items()}
    return {code: {"says": sentence, "todo": told.advice if told else ""} for code, (sentence, told) in found.items()}
