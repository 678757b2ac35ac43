"""The file of --where: what it may say, and what is said of mistakes in it."""

import pytest
from click.testing import CliRunner

from commongarden.cli import main
from commongarden.cluster import RaySettings, Where, where_file
from commongarden.errors import RunnerError, StudyError


def test_without_a_file_and_with_an_empty_one_nothing_is_set(tmp_path):
    (tmp_path / "empty.toml").write_text("")
    assert where_file.read(None) == where_file.read(tmp_path / "empty.toml") == Where(RaySettings(), None)


def test_all_that_it_may_say(tmp_path):
    (tmp_path / "where.toml").write_text(
        '[ray]\naddress = "10.0.0.1:6379"\ntoken_path = "t"\ncpus_per_run = 2\ngpus_per_worker = 1\n'
        "[files]\nshared = false\n"
    )
    assert where_file.read(tmp_path / "where.toml") == Where(RaySettings("10.0.0.1:6379", "t", 2.0, 1), False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[rey]", r"unknown section 'rey'; did you mean 'ray'"),
        ("ray = 3", r"ray: found 3, accepted: a section \[ray\]"),
        ("[ray]\ncpus = 2", r"unknown key 'cpus'"),
        ("[ray]\ncpus_per_run = 'two'", r"cpus_per_run: found 'two', accepted: a number"),
        ("[ray]\ngpus_per_worker = -1", r"gpus_per_worker: found -1, accepted: 0 or more"),
        ("[slurm]\nruns_per_job = 0", r"slurm\.runs_per_job: found 0, accepted: 1 or more"),
        ("[slurm]\nsbatch = ['-C a100']", r"slurm\.sbatch: found '-C a100', accepted: long options of sbatch"),
        ("[slurm]\ntime = 4", r"time: found 4, accepted: text in quotes"),
        ("[slurm]\nparttition = 'gpu'", r"unknown key 'parttition'; did you mean 'partition'"),
        ("[files]\nshared = 'yes'", r"files\.shared: found 'yes', accepted: true, false, \"auto\""),
        ("[ray", r"at the end of the file: no"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path, text, said):
    (tmp_path / "where.toml").write_text(text)
    with pytest.raises(StudyError, match=rf"where\.toml.*{said}"):
        where_file.read(tmp_path / "where.toml")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run demo --where where.toml", "--where: accepted with --on ray or --on slurm only"),
        ("ablate plain_flower --data x --gpus-per-worker 2", "--gpus-per-worker: accepted with --on ray or --on slurm"),
        ("screen demo --on slurm", "--on: accepted with --then only"),
        ("run demo --on slurm --where absent.toml", "absent.toml: cannot be read"),
    ],
)
def test_options_of_a_cluster_that_do_not_fit_are_refused(monkeypatch, command, said):
    monkeypatch.setattr("commongarden.cluster.slurm_queue.check_installed", lambda: None)
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 2
    assert said in result.output


def test_gpus_of_each_worker_are_those_of_the_option(monkeypatch):
    from commongarden.cli.places import chosen

    monkeypatch.setattr("commongarden.cluster.slurm_queue.check_installed", lambda: None)
    found = chosen({"engine": "slurm", "where": None, "gpus_per_worker": 2})
    assert (found.where.slurm.gres, found.where.ray.gpus_per_worker) == ("gpu:2", 2)


def test_without_ray_the_line_that_installs_it_is_said(monkeypatch):
    from commongarden.cluster import connection

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunnerError, match=r"pip install 'commongarden\[ray\]'"):
        connection.check_installed()


def test_a_token_that_can_be_guessed_is_refused(tmp_path):
    from commongarden.cluster import connection, node

    (tmp_path / "short").write_text("bad\n")
    with pytest.raises(RunnerError, match="has 3 characters, accepted: 16 or more"):
        connection.check_token(tmp_path / "short")
    node.make_token(tmp_path / "made")
    connection.check_token(tmp_path / "made")


def test_the_port_of_a_head_is_a_number():
    from commongarden.cluster import node

    assert node.own_address("127.0.0.1:6400") == "127.0.0.1:6400"
    with pytest.raises(RunnerError, match="found the port xx, accepted: 1 to 65535"):
        node.own_address("127.0.0.1:xx")
