"""The command line of commongarden, with the CPU in the place of a GPU: `python stand_in_command.py run ...`."""

from functools import partial

from commongarden import cli
from commongarden.runner import run_study
from commongarden.runner.device_workers import DeviceWorkers
from stand_in_device import stand_in_lane

if __name__ == "__main__":
    run_study.LocalWorkers = partial(DeviceWorkers, lanes=stand_in_lane)
    cli.main()
