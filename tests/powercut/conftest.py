"""Says how much an exhaustive run is, before it begins."""

import os

from plans import all_plans


def pytest_report_collectionfinish() -> str | None:
    if os.environ.get("COTA_EXHAUSTIVE") != "1":
        return None
    plans = all_plans()
    double = sum(plan.job.double for plan in plans)
    return f"power cuts: {len(plans)} courses, {double} of them with the recovery cut again; results are kept in .cache/powercut"
