"""A regular expression searched in many paths: a program of its own, which can be stopped. Standard library only.

Standard input: JSON, the expression and the paths. Standard output: JSON, what the first parentheses of the expression
match in each path, or all of it where there are none; "" for nothing.
"""

import json
import re
import sys

if __name__ == "__main__":
    expression, *paths = json.load(sys.stdin)
    pattern = re.compile(expression)
    matches = map(pattern.search, paths)
    json.dump([((one[1] or "") if pattern.groups else one[0]) if one else "" for one in matches], sys.stdout)
