"""Where records are kept unless you say otherwise; a module of its own, so that `--help` loads no database."""

DEFAULT_STORE = "results/pocketclip.sqlite"
