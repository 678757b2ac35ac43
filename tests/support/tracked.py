"""What trackers kept of a study, read back by their own packages: {run: {name: [(step, value)]}}."""

from pathlib import Path

BLOCK, HEADER = 2**15, 7  # of the log format of LevelDB, in which wandb keeps a run


def from_mlflow(project):
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name(project)
    found = {}
    for run in client.search_runs([experiment.experiment_id]):
        found[run.info.run_name] = {
            name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
    return found


def from_trackio(project):
    import trackio

    found = {}
    for run in trackio.Api().runs(project):
        rows = trackio.sqlite_storage.SQLiteStorage.get_logs(project, run.name)
        kept = found[run.name] = {}
        for row in rows:
            for name, value in row.items():
                if isinstance(value, float):
                    kept.setdefault(name, []).append((row["step"], value))
    return found


def from_wandb(folder):
    """Of the files that wandb writes in its offline mode, by the messages of its own package."""
    import json

    from wandb.proto import wandb_internal_pb2

    found = {}
    for path in Path(folder).rglob("run-*.wandb"):
        name, kept, summary = "", {}, {}
        for data in _records(path.read_bytes()[HEADER:]):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.HasField("run"):
                name = record.run.display_name
            for item in record.summary.update:
                key, value = item.key or ".".join(item.nested_key), json.loads(item.value_json)
                if not key.startswith("_") and isinstance(value, float):
                    summary[key] = [(None, value)]
            for item in record.history.item:
                key = item.key or ".".join(item.nested_key)
                kept.setdefault(key, []).append((record.history.step.num, json.loads(item.value_json)))
        floats = {key: [one for one in rows if isinstance(one[1], float)] for key, rows in kept.items()}
        found[name] = summary | floats
    return found


def _records(data):
    """The records of a file in LevelDB's log format, whose first block is shorter by a header of seven bytes."""
    place, whole = 0, b""
    while place + HEADER <= len(data):
        left = BLOCK - (place + HEADER) % BLOCK
        if left < HEADER:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        whole += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):  # a whole record, or the end of one
            yield whole
            whole = b""
