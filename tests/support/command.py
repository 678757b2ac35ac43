"""The command line as a process of its own, without the seconds that a new Python takes to load torch and the charts.

Where there is a fork server, each call is a copy of one process that has loaded them, and so are the workers that the
call starts: all else is as in a terminal, a working directory, an environment and streams of its own. A few tests start
the real command (`subprocess`), among them those of what it loads and how quickly it helps.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from commongarden.runner import processes

LOADED = (*processes.PRELOADED, "commongarden.cli", "commongarden.workflow", "commongarden.inference.predictor",
          "commongarden.data.baselines", "commongarden.report.page", "sklearn.linear_model", "sklearn.neighbors",
          "sklearn.pipeline", "rich.live", "statsmodels.stats.multitest", "statsmodels.stats.nonparametric",
          "docx", "sympy", "timm", "torchvision", "unsynced")  # fmt: skip


def call(arguments, cwd, environment, timeout):
    """`commongarden ARGUMENTS`, to its end."""
    if not processes.HAS_SERVER:
        return subprocess.run(
            [sys.executable, "-m", "commongarden.cli", *arguments],
            capture_output=True, text=True, encoding="utf-8", env=environment, timeout=timeout, cwd=cwd,
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        context = processes.context()
        context.set_forkserver_preload(list(LOADED))
        process = context.Process(target=_run, args=(arguments, str(cwd or Path.cwd()), environment, out, err))
        with processes.quiet_start():
            process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.terminate()
            process.join()
        code = process.exitcode
        process.close()
        said = [path.read_text(encoding="utf-8") if path.exists() else "" for path in (out, err)]
    return subprocess.CompletedProcess(arguments, code, *said)


def _run(arguments, cwd, environment, out, err):
    import gc
    import signal
    from multiprocessing import forkserver, resource_tracker

    gc.freeze()  # all that was loaded, whose memory is the server's as long as nobody touches it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    # the server that made this process serves its workers as well; by itself it would start another one
    forkserver._forkserver.ensure_running = forkserver.ensure_running = resource_tracker.ensure_running
    sys.argv = ["commongarden", *arguments]
    from commongarden.cli import main

    main(arguments, prog_name="python -m commongarden.cli")


def workers(pid):
    """The processes that train, of the command with this number."""
    import psutil

    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            line, parent = " ".join(child.cmdline()), child.ppid()
        except psutil.Error:
            continue
        by_server = "forkserver import main" in line and parent != pid
        if by_server or "spawn_main" in line:
            found.append(child)
    return found


def environment(cache_folder):
    return {**os.environ, "COMMONGARDEN_CACHE": str(cache_folder), "COLUMNS": "160", "PYTHONUTF8": "1"}
