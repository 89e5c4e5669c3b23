"""The usual way to replace files, to compare with: each changed file whole under another name, then renamed over the old one.

A kind one: it takes changed files alone, begins again after a cut, and notes the version last.
"""

from dataclasses import replace

from course import Job, standing_files

_PROGRAM = b"""import hashlib, json, os, time
import socketpool, wifi
VERSION = "/cota_sys/v"
KEEP = ("boot.py", "boot_out.txt", "cota_sys", "lib", "settings.toml", "ballast.bin")
pool = socketpool.SocketPool(wifi.radio)
def ask(method, target, body=b""):
    sock = pool.socket()
    sock.connect(("tb.test", 80))
    sock.send(("%s %s HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n" % (method, target, len(body))).encode() + body)
    data = b""
    buffer = bytearray(1024)
    while True:
        count = sock.recv_into(buffer)
        if not count:
            return data.partition(b"\\r\\n\\r\\n")[2]
        data += buffer[:count]
def state(**values):
    ask("POST", "/api/v1/token/telemetry", json.dumps(values).encode())
def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
def put(path, data):
    with open(path + ".new", "wb") as file:
        file.write(data)
    try:
        os.remove(path)
    except OSError:
        pass
    os.rename(path + ".new", path)
def blob(data):
    return hashlib.sha1(b"blob %d\\0" % len(data) + data).digest().hex()
def sweep(folder, paths):
    for name in os.listdir(folder or "/"):
        path = folder + "/" + name
        if not folder and name in KEEP:
            continue
        if os.stat(path)[0] & 0x4000:
            sweep(path, paths)
            try:
                os.rmdir(path)
            except OSError:
                pass
        elif path[1:] not in paths:
            os.remove(path)
def install(version, url):
    state(fw_state="DOWNLOADING")
    repository = "/".join(url.split("/")[3:5])
    listing = json.loads(ask("GET", "/api/v3/repos/" + repository + "/git/trees/" + version))
    state(fw_state="UPDATING")
    for entry in listing["tree"]:
        path = entry["path"]
        if entry["sha"] != blob(read("/" + path)):
            at = path.find("/")
            while at > 0:
                try:
                    os.mkdir("/" + path[:at])
                except OSError:
                    pass
                at = path.find("/", at + 1)
            put("/" + path, ask("GET", "/raw/" + repository + "/" + listing["sha"] + "/" + path))
    sweep("", [entry["path"] for entry in listing["tree"]])
    try:
        os.mkdir("/cota_sys")
    except OSError:
        pass
    put(VERSION, version.encode())
    state(fw_state="UPDATED", current_fw_version=version)
said = False
while True:
    shared = json.loads(ask("GET", "/api/v1/token/attributes"))["shared"]
    version = shared["fw_version"]
    if read(VERSION) != version.encode():
        install(version, shared["fw_url"])
    elif not said:
        state(fw_state="UPDATED", current_fw_version=version)
    said = True
    time.sleep(1)
"""
_BOOT = b'import storage\nstorage.remount("/", False)\n'


def peer_job(job: Job) -> Job:
    """The same course with the other updater on the drive."""
    standing = {"boot.py": _BOOT, "settings.toml": standing_files()["settings.toml"]}
    return replace(job, standing=standing, program=_PROGRAM)
