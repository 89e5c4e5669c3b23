"""cOTA's host side: the lab, the simulated boards, the demo and the operator's commands."""

__version__ = "0.1.0"
