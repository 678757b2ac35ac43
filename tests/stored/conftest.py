"""Nothing here is a test: these are the folders of users."""

collect_ignore_glob = ["*"]
