"""Without fsync: what a test writes need not outlive a power cut, and a killed process loses nothing by that.

Imported by conftest.py and by the fork server of the commands. fsync waits for the disk some milliseconds at each file.
"""

import os


def _nothing(_descriptor):
    return None


os.fsync = _nothing
