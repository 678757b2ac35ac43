"""Results as a pandas.DataFrame: the table of results.csv."""

import io

import pandas
import pandas.testing

import commongarden as cg
from commongarden import stats
from commongarden.i18n.language import used
from commongarden.report.results_csv import to_csv
from grown import grown


def test_it_is_the_table_of_results_csv(tmp_path):
    results = stats.summarize(grown(tmp_path / "s", {"a": (0.5, 0.6, 0.55), "b": (0.7, 0.8, 0.75)}))
    with used("ko"):
        found = cg.to_pandas(results)
    read = pandas.read_csv(io.StringIO(to_csv(results)))
    assert list(found.columns) == list(read.columns)
    assert found.set_index("arm").loc["b", "top1"] == 75.0
    pandas.testing.assert_frame_equal(pandas.read_csv(io.StringIO(found.to_csv(index=False))), read, atol=1e-6)
