"""Records a course of a board's life once, cuts it at every write, switches the board on again from each cut, and says what became of it.

`main(job)` reads a JSON file and prints one JSON line a result; `course.py` on the host writes the one and reads the other.
"""

import json

import pc_life
import pc_tree
from pc_cloud import Cloud, Release
from pc_flash import torn

HOW = ("before", "erased", "half")


class Worker:
    """One course on one drive.

    Attributes:
        job: See course.Job.
    """

    def __init__(self, job, host):
        self.job = job
        self.host = host
        blobs = pc_tree.unpack(job["blobs"])
        self.trees = {name: pc_tree.whole(job["trees"][name]) for name in job["trees"]}
        releases = {}
        for name in job["releases"]:
            files = job["releases"][name]
            releases[name] = Release(name, {path: blobs[files[path]] for path in files})
        self.cloud = Cloud(releases)
        self.kind = job["kind"]
        self.base = pc_tree.make(job["sectors"], job["trees"][job["drive"]], blobs, job["fill"])
        if job["fill"]:
            self._ballast()
        self.memory = pc_life.Memory()
        self.seen = set()
        self.ends = {}
        self.kept = set()
        self.number = self.candidates = 0

    def _ballast(self):
        """The file that fills the drive is part of every tree."""
        fs = pc_tree.vfs.VfsFat(pc_tree.Flash(self.base, "esp"))
        data = pc_tree.look(fs)["ballast.bin"]
        for name in self.trees:
            self.trees[name]["ballast.bin"] = data

    def say(self, **values):
        print(json.dumps(values))

    def name(self, tree):
        return pc_tree.name_of(tree, self.trees)

    def tree_of(self, image):
        try:
            fs = pc_tree.vfs.VfsFat(pc_tree.Flash(image, "esp"))
        except OSError:
            return "volume lost"
        return self.name(pc_tree.look(fs))

    def live(self, image, log=None, only_boot=False):
        memory = self.memory if log is None else None
        return pc_life.live(image, self.kind, self.cloud, log, pc_tree.look, only_boot, memory)

    def record(self):
        """The course without a cut; leaves `base` as it was before it and gives the pages written."""
        for name in self.job["before"]:
            self.cloud.assign(name)
            life = self.live(self.base)
            if life.end != "idle" or self.tree_of(self.base) != name:
                self.say(kind="trouble", end=life.end, tree=self.tree_of(self.base), console=life.console, said=self.cloud.said)
        self.cloud.assign(self.job["assign"])
        image = self.base.copy()
        log = []
        life = self.live(image, log)
        self.say(
            kind="course",
            writes=len(log),
            pages=[page for page, _ in log],
            end=life.end,
            boots=life.boots,
            tree=self.tree_of(image),
            said=self.cloud.said,
            console=life.console[-8:],
            image=self._keep(image),
        )
        return log

    def sweep(self):
        """Cut at each write of this part of the course, in each way that was asked for."""
        log = self.record()
        image = self.base.copy()
        part, parts = self.job["part"]
        first, last = self.job["only"] or (0, len(log))
        for number in range(len(log)):
            page, new = log[number]
            if number % parts == part and first <= number < last:
                for how in self.job["how"]:
                    cut = image.copy()
                    if how != "before":
                        torn(cut, page, new, how)
                    if self._is_new(cut):
                        self._try([number], how, page, cut.copy())
                        if self.job["double"] and how == "before":
                            self._again(number, cut)
            image.write(page, new)
        self.say(kind="end", candidates=self.candidates)

    def _again(self, number, cut):
        """The recovery is cut in its turn, at each of its writes."""
        image = cut.copy()
        log = []
        self.live(cut.copy(), log, only_boot=True)
        for second in range(len(log)):
            page, new = log[second]
            if self._is_new(image):
                self._try([number, second], "before", page, image.copy())
            image.write(page, new)

    def _is_new(self, image):
        self.candidates += 1
        digest = image.digest()
        if digest in self.seen:
            return False
        self.seen.add(digest)
        return True

    def _try(self, cut, how, page, image):
        """Switch the board on again, and let it come to rest; then give it one more release, if it did no update in between."""
        self.cloud.assign(self.job["assign"])
        life = self.live(image)
        values = {"kind": "cut", "cut": cut, "how": how, "page": page, "end": life.end, "boots": life.boots}
        values["booted"] = self.name(life.first_boot) if life.first_boot is not None else "nothing"
        values["tree"] = self.tree_of(image)
        values["said"] = self.cloud.said[-3:]
        bad = values["tree"] != self.job["goal"] or life.end != "idle"
        works = "UPDATED" in self.cloud.said and "UPDATING" in self.cloud.said
        if bad:
            values["console"] = life.console[-6:]
        elif not works:
            works = self._next(image, values)
        values["works"] = works
        values["image"] = self._keep(image)
        self.say(**values)

    def _next(self, image, values):
        """Whether the board takes the release after this one; remembered by what the flash holds."""
        digest = image.digest()
        if digest not in self.ends:
            after = image.copy()
            self.cloud.assign(self.job["next"])
            life = self.live(after)
            self.ends[digest] = life.end == "idle" and self.tree_of(after) == self.job["next"]
            if not self.ends[digest]:
                values["console"] = life.console[-6:]
                values["next"] = [life.end, self.tree_of(after), self.cloud.said[-3:]]
        return self.ends[digest]

    def _keep(self, image):
        """Hand an image to the host, once; gives its file's name or None."""
        folder = self.job["images"]
        digest = image.digest()
        if folder is None or digest in self.kept:
            return None
        self.kept.add(digest)
        self.number += 1
        path = f"{folder}/{self.job['part'][0]}-{self.number}.img"
        with self.host.open(path, "wb") as file:
            image.write_to(file)
        return path


def main(path):
    with open(path) as file:
        job = json.load(file)
    pc_life.prepare()
    Worker(job, pc_tree.posix()).sweep()
