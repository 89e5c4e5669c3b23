"""`cota manifest`: the exact list of a release, for a folder on a plain web server."""

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cota.cli.common import count, json_option, say, tell_findings, tell_json

if TYPE_CHECKING:
    from cota.publish.manifest import Draft

_STDOUT = "-"


@click.command(
    epilog="""\b
Examples:
  cota manifest build                              writes build/cota.manifest, for the files beside it
  cota manifest v1.4.0 --export site/v1.4.0        the commit's files and their manifest, ready to be served
  cota manifest HEAD --folder firmware --output -  shows it, and writes nothing
"""
)
@click.argument("what", required=False, metavar="[FOLDER|REF]", help="A folder, or a branch, tag or commit.  [default: HEAD]")
@click.option("--repo", type=click.Path(path_type=Path), help="A Git repository on this machine; then a REF is meant.  [default: here]")
@click.option("--folder", default="", metavar="PATH", help="Of a REF: the release's folder in the repository.  [default: all of it]")
@click.option("--title", help="Tell the release's title too; boards refuse it under another one.")
@click.option("--version", help="Tell the release's version too, in the same way.")
@click.option(
    "--output", metavar="FILE", help="Where to, a name that ends with .manifest, or - for stdout.  [default: FOLDER/cota.manifest]"
)
@click.option("--export", "target", type=click.Path(path_type=Path), help="Of a REF: write its files there too, a new folder.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    what: str | None,
    repo: Path | None,
    folder: str,
    title: str | None,
    version: str | None,
    output: str | None,
    target: Path | None,
    as_json: bool,
) -> None:
    """Check a release and write its manifest: each file with its size and SHA-256.

    The manifest makes a release of a folder on any web server: the files are asked for beside it, under the paths that it lists. Serve each
    release under an address of its own and never change it there. Boards of this version do not install from one yet.

    What a board would refuse is refused here, with the checks of `cota publish`. What .cotaignore names is left out. The same files give
    the same bytes. The manifest is not signed: it makes sure that boards get what you wrote, not that it was you.

    Exit code 0: it is written. 1: a board would refuse the release; nothing is written. 2: something cannot be read, written or used.
    """
    from cota.package.manifest import MANIFEST_NAME, MANIFEST_SUFFIX
    from cota.publish.manifest import export, of_commit, of_folder, save
    from cota.publish.version import check_name

    if output is not None and output != _STDOUT and not output.endswith(MANIFEST_SUFFIX):
        raise click.UsageError(f"--output must end with {MANIFEST_SUFFIX}: by that a board knows what the URL leads to.")
    if target is not None and output is not None:
        raise click.UsageError("--export and --output exclude each other.")
    title = None if title is None else check_name("title", title)
    version = None if version is None else check_name("version", version)
    source = Path(what) if what is not None and repo is None and Path(what).is_dir() else None
    if source is not None and (folder or target is not None):
        raise click.UsageError(f"{what} is a folder; --folder and --export are for a REF. --repo says that a REF is meant.")
    if output is None and target is None and source is not None:
        output = str(source / MANIFEST_NAME)
    place = None if output is None or output == _STDOUT else Path(output)
    if as_json and place is None and target is None:
        raise click.UsageError("--json and the manifest cannot both go to stdout; name a file with --output.")
    with contextlib.ExitStack() as opened:
        draft = (
            of_folder(source, title=title, version=version, leave_out=place)
            if source is not None
            else opened.enter_context(of_commit(repo or Path(), what, folder, title=title, version=version))
        )
        tell_findings(draft.findings)
        if draft.manifest is not None:
            if target is not None:
                export(draft, target)
                place = target / MANIFEST_NAME
            elif place is not None:
                save(draft, place)
            else:
                click.echo(draft.data, nl=False)
    _tell(draft, place, as_json)
    context.exit(1 if draft.manifest is None else 0)


def _tell(draft: "Draft", place: Path | None, as_json: bool) -> None:
    manifest = draft.manifest
    if manifest is None:
        say("A board would refuse this release; no manifest was written.")
    else:
        where = f"Wrote {place}: " if place is not None else ""
        say(f"{where}{count(len(manifest.files), 'file')}, {count(manifest.total, 'byte')}.")
    if as_json:
        tell_json(_facts(draft, place))


def _facts(draft: "Draft", place: Path | None) -> dict[str, Any]:
    from dataclasses import asdict

    findings = [asdict(finding) for finding in draft.findings]
    manifest = draft.manifest
    if manifest is None:
        return {"written": False, "findings": findings}
    return {
        "written": True,
        "manifest": str(place),
        "sha256": hashlib.sha256(draft.data).hexdigest(),
        "files": len(manifest.files),
        "bytes": manifest.total,
        "title": manifest.title,
        "version": manifest.version,
        "commit": manifest.commit,
        "findings": findings,
    }
