# cOTA hook 2.
import json,storage
from binascii import crc32
d={"q":0,"p":""}
try:
 with open("/cota_sys/s/j","rb")as f:
  for s in 3584,7680:
   f.seek(s);b=f.read(512)
   if b[:8]==b"%08x"%crc32(b[8:]):
    e=json.loads(b[8:])
    if e["q"]>d["q"]:d=e
 if d["p"]in("C","T","U"):
  f=open("/cota_sys/s/a","rb");f.seek(d["c"]);c=f.read(d["n"]);f.close()
  if crc32(c)==d["k"]:exec(c,{"j":d})
except Exception:0
try:exec(open("/lib/ota/drive.py").read())
except Exception:storage.remount("/",False)
#512 bytes.#
