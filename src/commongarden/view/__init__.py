"""A page that shows studies in the browser while they run (`commongarden view`, extra "view"). It reads the store and
events.jsonl, and writes nothing into a study's folder.

    studies.py    which studies a folder holds, and each in a line
    progress.py   what the lines of events.jsonl come to: runs under way, time left, state
    live_page.py  that as blocks of the report's document; curve_rows.py: as rows of its curves
    reports.py    the report as a part of the page
    watching.py   looks for new lines while somebody is connected, and passes them on
    guarding.py   which requests are answered: host, origin, token; what the browser may load
    pages.py      the pages' frames; app.py the routes; serving.py the server

Only serving.py and app.py need the packages of the extra.
"""
