"""A study on disk: a directory of finished, immutable runs.

    study.toml            the effective study, every default written out
    manifest.csv          path,label,part,sha256 of every photo that takes part
    split.json            the three parts, and what was left out and why
    splits/SEED.json      where each run seed has a split of its own: that one (split.json then has the first seed's)
    inspection.json       what reading the photos found, as it was when the study was begun (inspection.py)
    contract.json         what all arms share and what differs between them, with its hash
    runs/ARM/SEED/        one finished (or failed) run: run.json, history.csv, predictions.npz, model.safetensors,
                          signals.npz (what passed through its layers; runs of older versions have none)
    runs/ARM/SEED.partial/  a run under way: checkpoint.pt; renamed to runs/ARM/SEED as the last act of the run
    audit.json            what was found in each arm's network before its runs; made again where it is missing
    baselines/KEY.npz     what simple methods reached, and their predictions; KEY is a hash of photos and split
    tuning/runs/ARM/N/    the tuning run number N of an arm, as a run without test; best values go into study.toml
    seen/ARM.npz          what an arm's network looks at (seen.py); made again where it is missing
    thumbnails.npz        JPEG bytes of the test photos that the report shows
    command.json          the command that the study was last made with
    results.csv, results.json, report.html
    report.docx, report.md with report_files/, table.tex   written reports, where they were asked for
    tensorboard/          event files, where they were asked for

Contract. Every file is written under a temporary name in its own folder, flushed to the disk and renamed, so a
reader sees the old file or the new one, never half of one. study.toml is written last: a folder without it holds no
study yet. A run is visible exactly when its directory has its final name; it never changes afterwards. One process at
a time works on a study (`held`), and first of all mends what a killed one left half done (`mend`); any number may read.
"""

from commongarden.store.checksums import checked, file_digest, keep
from commongarden.store.files import changing, make_folder, write_atomically
from commongarden.store.folder import Store, open_store, read_history, read_predictions, read_run
from commongarden.store.holding import Holder, held, holder, mend
from commongarden.store.runs import forget_run, write_run
from commongarden.store.study import (
    forget_splits,
    write_audit,
    write_baselines,
    write_own_split,
    write_split,
    write_study,
    write_thumbnails,
)
from commongarden.store.verify import Found, Verified, verify

__all__ = [
    "Found",
    "Holder",
    "Store",
    "Verified",
    "changing",
    "checked",
    "file_digest",
    "forget_run",
    "forget_splits",
    "held",
    "holder",
    "keep",
    "make_folder",
    "mend",
    "open_store",
    "read_history",
    "read_predictions",
    "read_run",
    "verify",
    "write_atomically",
    "write_audit",
    "write_baselines",
    "write_own_split",
    "write_run",
    "write_split",
    "write_study",
    "write_thumbnails",
]
