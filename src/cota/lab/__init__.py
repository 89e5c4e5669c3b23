"""The lab: a ThingsBoard-compatible and GitHub-compatible server in one process, for a laptop, a classroom or a test.

Start with `server.py` (how it runs), `core.py` (how the parts hang together), `device_api.py` (what boards speak) and the `rest_*.py`
modules (what operators speak). The rules without any I/O are in `values.py`, `package_rules.py`, `checksums.py` and `entity_query.py`.
"""
