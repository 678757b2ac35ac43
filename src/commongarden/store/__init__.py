"""A study on disk: a directory of finished, immutable runs.

    study.toml            the effective study, every default written out
    manifest.csv          path,label,part,sha256[,group][,stored] of every photo that takes part
    split.json            the three parts, and what was left out and why
    splits/SEED.json      where each run seed has a split of its own: that one (split.json then has the first seed's)
    layout.json           how the data were understood: which folders are classes and parts, and notes on them
    inspection.json       what reading the photos found, as it was when the study was begun (inspection.py)
    contract.json         what all arms share and what differs between them, with its hash
    runs/ARM/SEED/        one finished (or failed) run: run.json, history.csv, predictions.npz, model.safetensors,
                          signals.npz (what passed through its layers; runs of older versions have none)
    runs/ARM/SEED.partial/  a run under way: checkpoint.pt (and checkpoint.kind, on what machine it was made, where a
                          cluster makes the runs); renamed to runs/ARM/SEED as the last act of the run
    audit.json            what was found in each arm's network before its runs; made again where it is missing
    baselines/KEY.npz     what simple methods reached, and their predictions; KEY is a hash of photos and split
    tuning/runs/ARM/N/    the tuning run number N of an arm, as a run without test; best values go into study.toml
    seen/ARM.npz          what an arm's network looks at (seen.py); made again where it is missing
    thumbnails.npz        JPEG bytes of the test photos that the report shows, and of a few as augmentation changes them
    selection.json        what screening chose the models from, where it did; screening.json, .csv and .html beside it
    decisions.json        which models a person dropped, and when
    command.json          the command that the study was last made with
    events.jsonl          what happened while runs were made, line by line, for whoever watches (event_log.py)
    results.csv, results.json, report.html
    report.docx, report.md with report_files/, table.tex   written reports, where they were asked for
    tensorboard/          event files, where they were asked for

    checksums.sha256      what each of the study's own files was when it was written; a run's folder has one as well
    .lock, .holder        held while a process works on the study, and who that is
    .request-*.json       what that process is asked to do, which it takes (requests.py)
    NAME.set-aside-N      what was found torn or foreign; nothing is read of it, and only `clean` removes it

The contract. tests/store/test_store.py, test_verify.py and test_crashes.py hold each sentence of it.

What is atomic. Every file is written under a temporary name in its own folder, flushed to the disk and renamed, and the
folder is flushed, so a reader sees the old file or the new one, never half of one. Folders appear and vanish by one
renaming. A run is visible exactly when its directory has its final name.

What is durable when. A file, when the function that writes it returns: it outlives a kill and a power cut. An epoch,
with the run's next checkpoint; a run, with the last renaming; a study, with study.toml, which is written last of its
files: a folder without it holds no study yet. Checkpoints are written after epochs, and take at most a hundredth of
a run's time: what a kill loses is the epoch in progress, or a hundred times the seconds that a checkpoint takes. A
stop (Ctrl-C, SIGTERM) loses the epoch in progress at most.

What is final. A run never changes once it is there, is never replaced, and is removed only where it failed and --retry
asks for it. A run seed's own split is never replaced. Only weights may go (`clean`); their checksum stays.

What is trusted. Whatever is read is held against its checksum (a study's own files, runs, checkpoints; decoded images
once for a study). What is not as it was written raises StoreError with its path; `verify` names it; the next process
that holds the study sets it aside and makes it again, except for study.toml, which only its owner can mend. Folders
without checksums are of an earlier version and are read as they are.

Who may write. One process at a time, which holds the study (`lock`) and first of all mends what a killed one left half
done (`recover`); its workers write the folders of their own runs and nothing else, and on other machines not even
these: the process that holds the study then writes what they send. Any number may read. Reports are written by whoever
makes them, each file whole; they hold nothing that cannot be made again, and have no checksum.
"""

from commongarden.store import cleaning as cleaning
from commongarden.store.checksums import file_digest as file_digest
from commongarden.store.checksums import keep as keep
from commongarden.store.files import changing as changing
from commongarden.store.files import make_folder as make_folder
from commongarden.store.files import write_atomically as write_atomically
from commongarden.store.folder import UNDERSTOOD as UNDERSTOOD
from commongarden.store.folder import ReadOnce as ReadOnce
from commongarden.store.folder import Store as Store
from commongarden.store.folder import open_store as open_store
from commongarden.store.folder import read_history as read_history
from commongarden.store.folder import read_predictions as read_predictions
from commongarden.store.folder import read_run as read_run
from commongarden.store.folder import read_weights as read_weights
from commongarden.store.kinds import Holder as Holder
from commongarden.store.locking import holder as holder
from commongarden.store.locking import is_held as is_held
from commongarden.store.locking import lock as lock
from commongarden.store.locking import recover as recover
from commongarden.store.places import check_run as check_run
from commongarden.store.places import check_study_or_run as check_study_or_run
from commongarden.store.runs import CHECKPOINT as CHECKPOINT
from commongarden.store.runs import KIND as KIND
from commongarden.store.runs import adopt_run as adopt_run
from commongarden.store.runs import forget_run as forget_run
from commongarden.store.runs import write_run as write_run
from commongarden.store.study import forget_splits as forget_splits
from commongarden.store.study import packed_baselines as packed_baselines
from commongarden.store.study import write_audit as write_audit
from commongarden.store.study import write_baselines as write_baselines
from commongarden.store.study import write_own_split as write_own_split
from commongarden.store.study import write_split as write_split
from commongarden.store.study import write_study as write_study
from commongarden.store.study import write_thumbnails as write_thumbnails
from commongarden.store.verify import Found as Found
from commongarden.store.verify import Verified as Verified
from commongarden.store.verify import verify as verify
