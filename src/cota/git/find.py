"""Finding the repository that a folder belongs to."""

from pathlib import Path

from cota.errors import AnswerIsNoError, CotaError


def find_repository(path: Path) -> Path:
    """Find the repository that a folder belongs to, as git does.

    Raises:
        CotaError: The folder does not exist.
        AnswerIsNoError: It is in no repository.
    """
    start = path.expanduser().resolve()
    for folder in (start, *start.parents):
        if (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir()):
            return folder
    if not start.exists():
        raise CotaError(f"{path} does not exist.", "Name a Git repository, or its URL with http:// or https://.")
    raise AnswerIsNoError(f"{path} is not in a Git repository.", "`git init` and `git commit` make one; or name another with --repo.")
