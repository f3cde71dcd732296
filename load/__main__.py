"""Runs a measured load: ``python -m load --rate N --for S [--batch B]``."""

import secrets
import sys
import time

from tqdm import tqdm

from load import plan as plans
from load import report
from load.sending import Sending
from pipeline.clock import to_rfc3339
from pipeline.settings import host_port, load_or_exit, loopback_for


def main() -> int:
    """0 where all that was acknowledged is stored, once; 1 where not, or nothing was acknowledged."""
    plan = plans.read(sys.argv[1:])
    settings = load_or_exit("load")
    run = f"load-{to_rfc3339(time.time_ns(), timespec='seconds')}-{secrets.token_hex(2)}"
    sending = Sending(plan, settings.gateway_url, settings.api_token, run)
    often_s = 0.1 if sys.stderr.isatty() else 5.0  # a bar that is drawn into a file
    total = plan.requests * plan.batch
    with tqdm(total=total, unit=" messages", file=sys.stderr, mininterval=often_s) as bar:
        took_s = sending.run(bar.update)
    tally = sending.tally
    web_url = f"http://{host_port(loopback_for(settings.bind), settings.web_port)}"
    stored = report.wait_until_stored(web_url, run, tally.acknowledged)
    print("\n".join(report.lines(tally, stored, took_s, run)))
    sound = report.lost(tally, stored) == 0 and report.duplicated(tally, stored) == 0
    return 0 if sound and tally.acknowledged else 1


if __name__ == "__main__":
    sys.exit(main())
