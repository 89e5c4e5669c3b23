"""Says how much an exhaustive run is, before it begins."""

import os

from plans import all_plans, shard


def pytest_report_collectionfinish() -> str | None:
    if os.environ.get("COTA_EXHAUSTIVE") != "1":
        return None
    plans = shard(all_plans())
    double = sum(plan.job.double for plan in plans)
    size = f"power cuts: {len(plans)} courses, {double} of them with the recovery cut again"
    return f"{size}; results are kept in .cache/powercut; COTA_SHARD=1/2 does half"
