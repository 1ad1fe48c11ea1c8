"""report.html: a run in one file that a browser shows without a network. Documented in docs/report.md."""
